// One account: how it stands, what it may do, and everything that can be done to it.
import { ALL_GROUPS, del, patch, post, query, useData } from "../api.js";
import { useNews } from "../events.js";
import { html, useCallback, useState } from "../lib.js";
import { distance, duration, moment, number, percent, t, word } from "../i18n.js";
import { address, go, tell } from "../state.js";
import { Confirm, FormDialog } from "../parts/dialog.js";
import { Check, Select, TextField } from "../parts/field.js";
import { Badge, Bar, Button, Card, Facts, Loading, Note, PageHead, Problem } from "../parts/plain.js";
import { state_of, tone_of } from "../parts/states.js";
import { LogInAgain } from "./accounts_add.js";
import { Status } from "./requests.js";

/** What is left of an account's credits. */
export function Credits({ quota, long }) {
  if (!quota || quota.limit == null) return html`<span class="soft">–</span>`;
  return html`<div class="stack tight"><span class="small number nowrap">${number(quota.left, 1)} / ${number(quota.limit, 0)}${quota.overage ? ` ${t("accounts.overage")}` : ""}</span>
    <${Bar} share=${quota.limit ? quota.left / quota.limit : 0} label=${t("accounts.credits")} />
    ${long && quota.reset_at && html`<span class="soft small">${t("accounts.resets", { when: distance(quota.reset_at), at: moment(quota.reset_at) })}</span>`}</div>`;
}

/** What can be done to an account with one click; each says how it went. */
export function useActions(again) {
  const run = async (row, path, done) => {
    try {
      const result = await post(`/api/tokens/${row.id}/${path}`);
      tell(typeof done === "function" ? done(result) : t(done, { name: row.name }), result && result.ok === false ? "bad" : "good");
    } catch (refused) {
      tell(`${row.name}: ${refused.message}`, "bad");
    }
    again();
  };
  return {
    refresh: (row) => run(row, "refresh", "accounts.refreshed"),
    unpark: (row) => run(row, "unpark", "accounts.unparked"),
    turn: (row) => run(row, row.enabled ? "disable" : "enable", row.enabled ? "accounts.disabled" : "accounts.enabled"),
    quota: (row) => run(row, "quota", "accounts.quota-read"),
    test: (row) => run(row, "test", (result) => (result && result.ok
      ? t("accounts.test-good", { name: row.name, span: duration((result.milliseconds || 0) / 1000) })
      : t("accounts.test-bad", { name: row.name, why: (result && result.error) || "" }))),
  };
}

function Edit({ row, groups, onClose, onSaved }) {
  const [draft, set] = useState({ name: row.name, group: row.group, order: row.order ?? 0, max_in_flight: row.max_in_flight ?? 0, requests_per_minute: row.requests_per_minute ?? 0, enabled: row.enabled });
  const change = (name) => (value) => set((old) => ({ ...old, [name]: value }));
  async function save() {
    const body = { ...draft };
    for (const name of ["order", "max_in_flight", "requests_per_minute"]) body[name] = Number(draft[name] || 0);
    await patch(`/api/tokens/${row.id}`, body);
    tell(t("accounts.saved", { name: draft.name }));
    onSaved();
  }
  return html`<${FormDialog} title=${t("accounts.edit", { name: row.name })} save=${save} onClose=${onClose}>${(wrong) => html`
    <${TextField} label=${t("accounts.name")} value=${draft.name} onChange=${change("name")} wrong=${wrong("name")} required />
    <${Select} label=${t("accounts.group")} value=${draft.group} onChange=${change("group")} wrong=${wrong("group")} choices=${groups.map((each) => [each, each])} />
    <div class="grid two">
      <${TextField} type="number" label=${t("accounts.order")} hint=${t("accounts.order-hint")} value=${draft.order} onChange=${change("order")} wrong=${wrong("order")} />
      <${TextField} type="number" min="0" label=${t("accounts.max-in-flight")} hint=${t("accounts.zero")} value=${draft.max_in_flight} onChange=${change("max_in_flight")} wrong=${wrong("max_in_flight")} />
      <${TextField} type="number" min="0" label=${t("accounts.rpm")} hint=${t("accounts.zero")} value=${draft.requests_per_minute} onChange=${change("requests_per_minute")} wrong=${wrong("requests_per_minute")} /></div>
    <${Check} label=${t("accounts.is-enabled")} value=${draft.enabled} onChange=${change("enabled")} />`}<//>`;
}

/** What an operator has to do about a state, where there is something. */
function Advice({ row, log_in }) {
  const state = state_of(row);
  if (state === "ready" || state === "busy") return null;
  return html`<${Note} tone=${tone_of(state) === "bad" ? "bad" : "warn"}><div class="row"><span>${word("advice", state)}</span>
    ${state === "rejected" && row.auth_type !== "api_key" && html`<span class="push"><${Button} little onClick=${log_in}>${t("accounts.log-in-again")}<//></span>`}</div><//>`;
}

/** What it was asked last. */
function Latest({ name }) {
  const { data } = useData(query("/api/requests", { account: name, page_size: 6 }));
  if (!data || !data.items.length) return null;
  return html`<${Card} title=${t("requests.latest")} flush actions=${html`<a class="small" href=${address("requests", "", { account: name })}>${t("requests.all-of")}</a>`}>
    <div class="scroll" tabindex="0" role="region" aria-label=${t("requests.latest")}><table class="list"><thead><tr><th scope="col">${t("requests.at")}</th><th scope="col">${t("requests.status")}</th><th scope="col">${t("requests.model")}</th><th scope="col" class="right">${t("requests.total")}</th></tr></thead>
    <tbody>${data.items.map((row) => html`<tr key=${row.id}><td><a class="nowrap number" href=${address("requests", row.request_id)}>${distance(row.started)}</a></td>
      <td><${Status} row=${row} /></td><td>${row.upstream_model || row.model}</td><td class="right number">${duration(row.total_seconds)}</td></tr>`)}</tbody></table></div><//>`;
}

export function Account({ id }) {
  const { data: row, error, again } = useData(`/api/tokens/${encodeURIComponent(id)}`);
  const { data: groups } = useData(ALL_GROUPS);
  const [dialog, open] = useState(null);
  const act = useActions(again);
  useNews("tokens", useCallback((news) => (news.more || news.changed.some((each) => each.id === id)) && again(), [id, again]));
  async function remove() {
    await del(`/api/tokens/${id}`);
    tell(t("accounts.deleted", { name: row.name }));
    go("accounts");
  }
  if (!row) return html`<div class="page">${error ? html`<${Problem} error=${error} again=${again} />` : html`<${Loading} />`}</div>`;
  const names = groups ? groups.items.map((each) => each.name) : [row.group];
  const key = row.auth_type === "api_key";
  return html`<div class="page"><${PageHead} title=${row.name} hint=${[word("method", row.auth_type), row.user_email, row.subscription].filter(Boolean).join(" · ")}>
      <a class="button" href="#/accounts">${t("accounts.back")}</a>
      <${Button} icon="edit" onClick=${() => open("edit")}>${t("action.edit")}<//><//>
    <${Advice} row=${row} log_in=${() => open("login")} />
    <div class="row">
      <${Button} icon="test" onClick=${() => act.test(row)}>${t("accounts.test")}<//>
      <${Button} icon="refresh" disabled=${key} onClick=${() => act.refresh(row)}>${t("accounts.refresh-short")}<//>
      <${Button} icon="usage" onClick=${() => act.quota(row)}>${t("accounts.quota")}<//>
      ${!["ready", "disabled"].includes(row.status) && html`<${Button} icon="play" onClick=${() => act.unpark(row)}>${t("accounts.unpark-short")}<//>`}
      <${Button} icon=${row.enabled ? "pause" : "play"} onClick=${() => act.turn(row)}>${t(row.enabled ? "accounts.disable-short" : "accounts.enable-short")}<//>
      <span class="push"><${Button} kind="danger" icon="trash" disabled=${row.source === "configured"} title=${row.source === "configured" ? t("accounts.configured-hint") : undefined} onClick=${() => open("delete")}>${t("action.delete")}<//></span></div>
    <div class="grid two"><div class="column">
      <${Card} title=${t("accounts.standing")}><${Facts} rows=${[
        [t("accounts.state"), html`<${Badge} tone=${tone_of(state_of(row))}>${word("state-of", state_of(row))}<//>`],
        [t("accounts.reason"), ["cooling", "rejected"].includes(row.status) && row.error ? word("reason", row.error) : ""],
        [t("accounts.returns-at"), row.returns_at && `${moment(row.returns_at)} (${distance(row.returns_at)})`],
        [t("accounts.in-flight"), number(row.in_flight)],
        [t("accounts.success"), row.request_count ? `${percent(row.success_count / row.request_count)} (${t("accounts.of", { served: number(row.success_count), all: number(row.request_count) })})` : "–"],
        [t("accounts.last-used"), row.last_used ? moment(row.last_used) : t("state.never")],
        [t("accounts.last-error"), row.last_error && `${word("fault", row.last_error)}${row.last_error_at ? ` (${distance(row.last_error_at)})` : ""}`],
        [t("accounts.expires"), key ? t("state.never") : row.expires_at && `${moment(row.expires_at)} (${distance(row.expires_at)})`],
      ]} /><//>
      <${Card} title=${t("accounts.credits")}><div class="stack"><${Credits} quota=${row.quota} long />
        <${Facts} rows=${[[t("accounts.subscription"), row.subscription], [t("accounts.checked"), row.quota && row.quota.checked_at && distance(row.quota.checked_at)]]} /></div><//>
      </div><div class="column"><${Card} title=${t("accounts.about")}><${Facts} rows=${[
        [t("accounts.id"), html`<code>${row.id}</code>`], [t("accounts.source"), word("source-of", row.source)], [t("accounts.group"), row.group],
        [t("accounts.order"), number(row.order)], [t("accounts.region"), row.region], [t("accounts.profile-region"), row.profile_region],
        [t("accounts.max-in-flight"), row.max_in_flight ? number(row.max_in_flight) : t("accounts.as-group")],
        [t("accounts.rpm"), row.requests_per_minute ? number(row.requests_per_minute) : t("accounts.as-group")],
      ]} /><//></div>
    </div>
    <${Latest} name=${row.name} />
    ${dialog === "edit" && html`<${Edit} row=${row} groups=${names} onClose=${() => open(null)} onSaved=${() => { open(null); again(); }} />`}
    ${dialog === "login" && html`<${LogInAgain} row=${row} onClose=${() => open(null)} onAdded=${again} />`}
    ${dialog === "delete" && html`<${Confirm} title=${t("accounts.delete", { name: row.name })} submit=${t("action.delete")} save=${remove} onClose=${() => open(null)}>${t("accounts.delete-hint")}<//>`}
  </div>`;
}
