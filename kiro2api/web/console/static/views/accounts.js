// The accounts: searched, filtered and paged by the service; changes arrive as news.
import { ALL_GROUPS, query, useData } from "../api.js";
import { useNews } from "../events.js";
import { html, useCallback, useEffect, useRef, useState } from "../lib.js";
import { distance, moment, number, percent, t, word } from "../i18n.js";
import { address, go } from "../state.js";
import { Select, TextField } from "../parts/field.js";
import { Badge, Button, Card, Empty, Loading, PageHead, Problem } from "../parts/plain.js";
import { STATES, state_of, tone_of } from "../parts/states.js";
import { Pager, Table } from "../parts/table.js";
import { AddAccount } from "./accounts_add.js";
import { Backup, RefreshAll } from "./accounts_many.js";
import { Account, Credits, useActions } from "./account.js";

const SIZE = 50;

export function State({ row }) {
  return html`<div class="stack tight"><span><${Badge} tone=${tone_of(state_of(row))}>${word("state-of", state_of(row))}<//></span>
    ${row.status === "cooling" && row.error && html`<span class="soft small">${word("reason", row.error)}</span>`}
    ${row.returns_at && html`<span class="soft small" title=${moment(row.returns_at)}>${t("accounts.returns", { when: distance(row.returns_at) })}</span>`}</div>`;
}

function List({ asked }) {
  const [search, set_search] = useState(asked.get("q") || "");
  const [dialog, open] = useState(null);
  const wish = { q: asked.get("q"), group: asked.get("group"), state: asked.get("state"), sort: asked.get("sort"), page: asked.get("page") };
  const { data, error, again } = useData(query("/api/tokens", { ...wish, page_size: SIZE }));
  const { data: groups } = useData(ALL_GROUPS);
  const names = groups ? groups.items.map((each) => each.name) : ["default"];
  const act = useActions(again);
  const timer = useRef(0);
  // News come in bursts: the page is fetched again once they have calmed down a little.
  useNews("tokens", useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(again, 500);
  }, [again]));
  useEffect(() => () => clearTimeout(timer.current), []);
  const turn = (change) => go("accounts", "", { ...wish, page: "", ...change }, true);
  const columns = [
    { name: "name", title: t("accounts.name"), sort: "name", lead: true, draw: (row) => html`<div class="stack tight"><a href=${address("accounts", row.id)}><strong>${row.name}</strong></a>
      <span class="soft small">${[word("method", row.auth_type), row.user_email].filter(Boolean).join(" · ")}</span></div>` },
    { name: "group", title: t("accounts.group"), sort: "group", draw: (row) => row.group },
    { name: "state", title: t("accounts.state"), sort: "status", draw: (row) => html`<${State} row=${row} />` },
    { name: "credits", title: t("accounts.credits"), sort: "left", draw: (row) => html`<${Credits} quota=${row.quota} />` },
    { name: "flight", title: t("accounts.in-flight"), sort: "in_flight", right: true, draw: (row) => number(row.in_flight) },
    { name: "success", title: t("accounts.success"), right: true, draw: (row) => (row.request_count ? html`<span title=${t("accounts.of", { served: number(row.success_count), all: number(row.request_count) })}>${percent(row.success_count / row.request_count)}</span>` : "–") },
    { name: "used", title: t("accounts.last-used"), sort: "last_used", draw: (row) => (row.last_used ? html`<span class="nowrap" title=${moment(row.last_used)}>${distance(row.last_used)}</span>` : t("state.never")) },
    { name: "actions", title: t("action.more"), right: true, draw: (row) => html`<span class="row tight end">
      ${["cooling", "exhausted", "rejected", "suspended"].includes(row.status) && html`<${Button} little icon="play" label=${t("accounts.unpark", { name: row.name })} onClick=${() => act.unpark(row)} />`}
      <${Button} little icon="refresh" label=${t("accounts.refresh", { name: row.name })} onClick=${() => act.refresh(row)} disabled=${row.auth_type === "api_key"} />
      <${Button} little icon=${row.enabled ? "pause" : "play"} label=${t(row.enabled ? "accounts.disable" : "accounts.enable", { name: row.name })} onClick=${() => act.turn(row)} /></span>` },
  ];
  return html`<div class="page"><${PageHead} title=${t("nav.accounts")} hint=${t("accounts.hint")}>
      <${Button} icon="download" onClick=${() => open("backup")}>${t("accounts.backup")}<//>
      <${Button} icon="refresh" onClick=${() => open("refresh")}>${t("accounts.refresh-all")}<//>
      <${Button} kind="main-action" icon="plus" onClick=${() => open("add")}>${t("accounts.add")}<//><//>
    <form class="filters" role="search" onSubmit=${(event) => { event.preventDefault(); turn({ q: search }); }}>
      <${TextField} wide type="search" label=${t("action.search")} placeholder=${t("accounts.search-hint")} value=${search} onChange=${set_search} />
      <${Select} label=${t("accounts.group")} value=${wish.group || ""} onChange=${(group) => turn({ group })} choices=${[["", t("state.all")], ...names.map((each) => [each, each])]} />
      <${Select} label=${t("accounts.state")} value=${wish.state || ""} onChange=${(state) => turn({ state })} choices=${[["", t("state.all")], ...STATES.map((each) => [each, word("state-of", each)])]} />
      <button class="button" type="submit">${t("action.search")}</button></form>
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${!data && !error && html`<${Loading} />`}
    ${data && html`<${Card} flush>
      ${data.tokens.length ? html`<${Table} label=${t("nav.accounts")} columns=${columns} rows=${data.tokens} key_of=${(row) => row.id} sort=${wish.sort || ""} onSort=${(sort) => turn({ sort })} />`
        : html`<${Empty} icon="accounts" title=${t(wish.q || wish.group || wish.state ? "accounts.none-match" : "accounts.none")}><${Button} kind="main-action" icon="plus" onClick=${() => open("add")}>${t("accounts.add")}<//><//>`}
      <${Pager} page=${Number(wish.page) || 1} page_size=${data.page_size || SIZE} total=${data.total} onPage=${(page) => go("accounts", "", { ...wish, page })} /><//>`}
    ${dialog === "add" && html`<${AddAccount} groups=${names} onClose=${() => open(null)} onAdded=${again} />`}
    ${dialog === "refresh" && html`<${RefreshAll} groups=${names} onClose=${() => { open(null); again(); }} />`}
    ${dialog === "backup" && html`<${Backup} onClose=${() => { open(null); again(); }} />`}
  </div>`;
}

export default function Accounts({ id, query: asked }) {
  return id ? html`<${Account} id=${id} />` : html`<${List} asked=${asked} />`;
}
