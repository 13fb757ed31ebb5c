// API keys: who may ask, for what, and how much.
import { ALL_GROUPS, del, get, patch, post, query, useData } from "../api.js";
import { html, useEffect, useState } from "../lib.js";
import { distance, moment, number, t, word } from "../i18n.js";
import { tell } from "../state.js";
import { Once } from "../parts/copy.js";
import { Confirm, Dialog, FormDialog } from "../parts/dialog.js";
import { Check, Select, TextField } from "../parts/field.js";
import { Badge, Bar, Button, Card, Empty, Loading, Note, PageHead, Problem } from "../parts/plain.js";
import { Pager, Table } from "../parts/table.js";

const SIZE = 50;
const NUMBERS = ["requests_per_minute", "max_in_flight", "credits_per_day", "credits_per_month"];
const NEW = { name: "", role: "client", groups: [], models: [], requests_per_minute: 0, max_in_flight: 0, credits_per_day: 0, credits_per_month: 0, expires_at: "" };

const listed = (text) => text.split(/[\s,]+/).filter(Boolean);

function KeyForm({ old, groups, onClose, onSaved }) {
  const fresh = old.id == null;
  const [draft, set] = useState({ ...NEW, ...old });
  const [models, set_models] = useState((old.models || []).join(", "));
  const change = (name) => (value) => set((now) => ({ ...now, [name]: value }));
  const has = (group) => draft.groups.includes(group);
  const toggle = (group) => (on) => change("groups")(on ? [...draft.groups, group] : draft.groups.filter((each) => each !== group));
  async function save() {
    const body = { name: draft.name, role: draft.role, groups: draft.groups, models: listed(models) };
    for (const name of NUMBERS) body[name] = Number(draft[name] || 0);
    body.expires_at = draft.expires_at ? new Date(draft.expires_at).toISOString() : "";
    const made = fresh ? await post("/api/keys", body) : await patch(`/api/keys/${old.id}`, body);
    if (!fresh) tell(t("keys.saved", { name: draft.name }));
    onSaved(fresh ? made : null);
  }
  const at = new Date(draft.expires_at);
  // With the offset of that day, which need not be today's.
  const until = draft.expires_at ? new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "";
  return html`<${FormDialog} title=${fresh ? t("keys.new") : t("keys.edit", { name: old.name })} save=${save} onClose=${onClose} submit=${fresh ? t("action.create") : t("action.save")}>
    ${(wrong) => html`
      <${TextField} label=${t("keys.name")} value=${draft.name} onChange=${change("name")} wrong=${wrong("name")} required />
      <${Select} label=${t("keys.role")} hint=${word("keys.role-hint", draft.role)} value=${draft.role} onChange=${change("role")} wrong=${wrong("role")}
        choices=${["client", "admin"].map((each) => [each, word("keys.role", each)])} />
      <fieldset class="field"><legend>${t("keys.groups")}</legend>
        <div class="row">${groups.map((group) => html`<${Check} label=${group} value=${has(group)} onChange=${toggle(group)} />`)}</div>
        <span class="hint">${t("keys.groups-hint")}</span>${wrong("groups") && html`<span class="wrong" role="alert">${wrong("groups")}</span>`}</fieldset>
      <${TextField} label=${t("keys.models")} hint=${t("keys.models-hint")} value=${models} onChange=${set_models} wrong=${wrong("models")} placeholder="claude-sonnet-*, claude-haiku-4-5" />
      <div class="grid two">${NUMBERS.map((name) => html`<${TextField} type="number" min="0" step="any" label=${word("keys.limit", name)} hint=${t("keys.zero")}
        value=${draft[name]} onChange=${change(name)} wrong=${wrong(name)} />`)}</div>
      <${TextField} type="datetime-local" label=${t("keys.expires")} hint=${t("keys.expires-hint")} value=${until} onChange=${change("expires_at")} wrong=${wrong("expires_at")} />`}
  <//>`;
}

function Spent({ row }) {
  const parts = [["spent_today", "credits_per_day", "keys.today"], ["spent_month", "credits_per_month", "keys.month"]];
  if (row.spent_month == null) return html`<span class="soft">–</span>`;
  return html`<div class="stack tight">${parts.map(([spent, limit, label]) => html`<div class="stack tight">
    <span class="small number nowrap">${t(label, { spent: number(row[spent], 2) })}${row[limit] ? ` / ${number(row[limit], 2)}` : ""}</span>
    ${row[limit] ? html`<${Bar} share=${1 - (row[spent] || 0) / row[limit]} label=${t("keys.left")} />` : null}</div>`)}</div>`;
}

export default function Keys() {
  const [page, set_page] = useState(1);
  const { data, error, again } = useData(query("/api/keys", { page, page_size: SIZE }));
  const [groups, set_groups] = useState(["default"]);
  const [dialog, set_dialog] = useState(null);
  useEffect(() => { get(ALL_GROUPS).then((found) => set_groups(found.items.map((each) => each.name))).catch(() => {}); }, []);
  const close = () => set_dialog(null);
  const saved = (made) => { set_dialog(made ? { kind: "made", row: made } : null); again(); };
  async function turn(row) {
    try {
      await patch(`/api/keys/${row.id}`, { enabled: !row.enabled });
      again();
    } catch (refused) {
      tell(refused.message, "bad");
    }
  }
  async function remove() {
    await del(`/api/keys/${dialog.row.id}`);
    tell(t("keys.deleted", { name: dialog.row.name }));
    saved(null);
  }
  const all = (names) => (names && names.length ? names.join(", ") : t("state.all"));
  const expired = (row) => row.expires_at && new Date(row.expires_at) < new Date();
  const state = (row) => (expired(row) ? "expired" : row.enabled ? "active" : "disabled");
  const columns = [
    { name: "name", title: t("keys.name"), lead: true, draw: (row) => html`<div class="stack tight"><strong>${row.name}</strong>${row.hint && html`<code class="soft small">…${row.hint}</code>`}</div>` },
    { name: "role", title: t("keys.role"), draw: (row) => html`<${Badge} tone=${row.role === "admin" ? "accent" : ""} dot=${false}>${word("keys.role", row.role)}<//>` },
    { name: "state", title: t("keys.state"), draw: (row) => html`<${Badge} tone=${state(row) === "active" ? "good" : "warn"}>${word("keys.state", state(row))}<//>` },
    { name: "groups", title: t("keys.groups"), draw: (row) => all(row.groups) },
    { name: "models", title: t("keys.models"), draw: (row) => html`<span class="break">${all(row.models)}</span>` },
    { name: "spent", title: t("keys.spent"), draw: (row) => html`<${Spent} row=${row} />` },
    { name: "used", title: t("keys.last-used"), draw: (row) => (row.last_used ? html`<span title=${moment(row.last_used)}>${distance(row.last_used)}</span>` : row.source === "configured" ? "–" : t("state.never")) },
    { name: "actions", title: t("action.more"), right: true, draw: (row) => (row.source === "configured"
      ? html`<span class="soft small">${t("keys.configured")}</span>`
      : html`<span class="row tight end">
        <${Button} little icon=${row.enabled ? "pause" : "play"} label=${t(row.enabled ? "keys.disable" : "keys.enable", { name: row.name })} onClick=${() => turn(row)} />
        <${Button} little icon="edit" label=${t("keys.edit", { name: row.name })} onClick=${() => set_dialog({ kind: "edit", row })} />
        <${Button} little kind="danger" icon="trash" label=${t("keys.delete", { name: row.name })} onClick=${() => set_dialog({ kind: "delete", row })} /></span>`) },
  ];
  return html`<div class="page">
    <${PageHead} title=${t("nav.keys")} hint=${t("keys.hint")}><${Button} kind="main-action" icon="plus" onClick=${() => set_dialog({ kind: "edit", row: {} })}>${t("keys.add")}<//><//>
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${!data && !error && html`<${Loading} />`}
    ${data && html`<${Card} flush>
      ${data.items.length ? html`<${Table} label=${t("nav.keys")} columns=${columns} rows=${data.items} key_of=${(row) => row.id} />` : html`<${Empty} title=${t("keys.empty")} icon="keys" />`}
      <${Pager} page=${page} page_size=${SIZE} total=${data.total} onPage=${set_page} /><//>`}
    ${dialog?.kind === "edit" && html`<${KeyForm} old=${dialog.row} groups=${groups} onClose=${close} onSaved=${saved} />`}
    ${dialog?.kind === "delete" && html`<${Confirm} title=${t("keys.delete", { name: dialog.row.name })} submit=${t("action.delete")} save=${remove} onClose=${close}>${t("keys.delete-hint")}<//>`}
    ${dialog?.kind === "made" && html`<${Dialog} title=${t("keys.made", { name: dialog.row.name })} onClose=${close}>
      <${Note} tone="warn">${t("keys.once")}<//><${Once} value=${dialog.row.key} />
      <footer><a class="button" href="#/connect">${t("nav.connect")}</a><${Button} kind="main-action" onClick=${close}>${t("action.done")}<//></footer><//>`}
  </div>`;
}
