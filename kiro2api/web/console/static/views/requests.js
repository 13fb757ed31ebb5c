// The log of requests with its filters, and the page of one request.
import { query, useData, usePages } from "../api.js";
import { useNews } from "../events.js";
import { html, useCallback, useState } from "../lib.js";
import { compact, duration, moment, number, t, word } from "../i18n.js";
import { address, go } from "../state.js";
import { Select, TextField } from "../parts/field.js";
import { Badge, Button, Card, Empty, Facts, Loading, Note, PageHead, Problem } from "../parts/plain.js";
import { Older, Table } from "../parts/table.js";
import { Captures } from "./captures.js";

const SIZE = 50;
const FILTERS = ["from", "to", "model", "account", "key", "group", "status", "outcome", "dialect", "q"];
const TONES = { served: "good", failed: "bad", abandoned: "warn", refused: "warn" };

const MOMENTS = ["from", "to"];

const utc = (local) => (local ? new Date(local).toISOString() : "");

/** The filters of an address; what is no moment where one belongs counts as empty. */
function filters_of(asked) {
  const usable = (name, text) => !MOMENTS.includes(name) || !Number.isNaN(Date.parse(text));
  return Object.fromEntries(FILTERS.map((name) => [name, asked.get(name) || ""]).map(([name, text]) => [name, usable(name, text) ? text : ""]));
}

export function Status({ row }) {
  return html`<span class="stack tight"><span><${Badge} tone=${TONES[row.outcome] || ""}>${row.status} ${word("requests.outcome", row.outcome)}<//></span>
    ${row.error && html`<span class="soft small">${row.error}</span>`}</span>`;
}

function List({ asked }) {
  const [draft, set] = useState(() => filters_of(asked));
  const filters = filters_of(asked);
  const sent = { ...filters, from: utc(filters.from), to: utc(filters.to) };
  const { items, next, error, loading, again, older } = usePages(query("/api/requests", { ...sent, page_size: SIZE }), (found) => found.next);
  const [news, count] = useState(0);
  useNews("record", useCallback(() => count((old) => old + 1), []));
  useNews("lagging", useCallback((lag) => count((old) => old + lag.missed), []));
  const change = (name) => (value) => set((old) => ({ ...old, [name]: value }));
  const apply = (event) => { event.preventDefault(); count(0); go("requests", "", draft); };
  const columns = [
    { name: "at", title: t("requests.at"), lead: true, draw: (row) => html`<a class="nowrap number" href=${address("requests", row.request_id)}>${moment(row.started, { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" })}</a>` },
    { name: "status", title: t("requests.status"), draw: (row) => html`<${Status} row=${row} />` },
    { name: "model", title: t("requests.model"), draw: (row) => html`<span class="nowrap">${row.model}</span>` },
    { name: "account", title: t("requests.account-key"), draw: (row) => html`<span class="stack tight nowrap"><span>${row.account || "–"}</span><span class="soft small">${row.key}</span></span>` },
    { name: "times", title: t("requests.times"), right: true, draw: (row) => html`<span class="nowrap">${duration(row.first_event_seconds)} / ${duration(row.total_seconds)}</span>` },
    { name: "tokens", title: t("requests.tokens"), right: true, draw: (row) => html`<span class="nowrap">${compact(row.input_tokens)} / ${compact(row.output_tokens)}</span>` },
    { name: "credits", title: t("requests.credits"), right: true, draw: (row) => number(row.credits, 3) },
  ];
  const csv = query("/api/requests.csv", sent);
  return html`<div class="page"><${PageHead} title=${t("nav.requests")} hint=${t("requests.hint")}>
      <a class="button" href=${csv} download="requests.csv">${t("requests.csv")}</a><//>
    <${Card}><form class="filters" onSubmit=${apply} aria-label=${t("requests.filters")}>
      <${TextField} wide type="search" label=${t("action.search")} value=${draft.q} onChange=${change("q")} placeholder=${t("requests.search-hint")} />
      <${TextField} type="datetime-local" label=${t("requests.from")} value=${draft.from} onChange=${change("from")} />
      <${TextField} type="datetime-local" label=${t("requests.to")} value=${draft.to} onChange=${change("to")} />
      <${TextField} label=${t("requests.upstream-model")} value=${draft.model} onChange=${change("model")} placeholder="claude-sonnet-4.5" />
      <${TextField} label=${t("requests.account")} value=${draft.account} onChange=${change("account")} />
      <${TextField} label=${t("requests.key")} value=${draft.key} onChange=${change("key")} />
      <${TextField} label=${t("requests.group")} value=${draft.group} onChange=${change("group")} />
      <${TextField} label=${t("requests.status")} value=${draft.status} onChange=${change("status")} inputmode="numeric" />
      <${Select} label=${t("requests.outcome")} value=${draft.outcome} onChange=${change("outcome")} choices=${["", "served", "failed", "refused", "abandoned"].map((each) => [each, each ? word("requests.outcome", each) : t("state.all")])} />
      <${Select} label=${t("requests.dialect")} value=${draft.dialect} onChange=${change("dialect")} choices=${["", "anthropic", "chat", "responses"].map((each) => [each, each || t("state.all")])} />
      <div class="row tight"><button class="button main-action" type="submit">${t("requests.apply")}</button>
        <${Button} onClick=${() => { set(Object.fromEntries(FILTERS.map((name) => [name, ""]))); go("requests"); }}>${t("requests.clear")}<//></div>
    </form><//>
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${news > 0 && html`<div><${Button} icon="refresh" onClick=${() => { count(0); again(); }}>${t("requests.news", { count: number(news) })}<//></div>`}
    <${Card} flush>${items.length ? html`<${Table} label=${t("nav.requests")} columns=${columns} rows=${items} key_of=${(row) => row.request_id} />`
      : loading ? html`<${Loading} />` : html`<${Empty} title=${t("requests.empty")} />`}
      <${Older} next=${next} busy=${loading} onClick=${older} /><//>
    <${Captures} />
  </div>`;
}

function One({ id }) {
  const { data, error, again } = useData(`/api/requests/${encodeURIComponent(id)}`);
  const row = data;
  const attempts = row ? row.attempts_detail : [];
  return html`<div class="page"><${PageHead} title=${t("requests.one")} hint=${html`<code>${id}</code>`}><a class="button" href="#/requests">${t("requests.back")}</a><//>
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${!row && !error && html`<${Loading} />`}
    ${row && html`
      ${row.error && html`<${Note} tone="bad">${row.error}<//>`}
      <div class="grid two">
        <${Card} title=${t("requests.what")}><${Facts} rows=${[
          [t("requests.at"), moment(row.started, { dateStyle: "medium", timeStyle: "long" })],
          [t("requests.status"), html`<${Status} row=${row} />`],
          [t("requests.dialect"), row.dialect], [t("requests.model"), row.model], [t("requests.upstream-model"), row.upstream_model],
          [t("requests.stream"), row.stream ? t("state.yes") : t("state.no")],
          [t("requests.group"), row.group], [t("requests.account"), row.account && html`<a href=${address("accounts", "", { q: row.account })}>${row.account}</a>`], [t("requests.key"), row.key],
          [t("requests.upstream-id"), row.upstream_request_id && html`<code>${row.upstream_request_id}</code>`],
        ]} /><//>
        <${Card} title=${t("requests.cost")}><${Facts} rows=${[
          [t("requests.queue"), duration(row.queue_seconds)], [t("requests.first"), duration(row.first_event_seconds)], [t("requests.total"), duration(row.total_seconds)],
          [t("requests.input"), number(row.input_tokens)], [t("requests.output"), number(row.output_tokens)],
          [t("requests.cache-read"), number(row.cache_read_tokens)], [t("requests.cache-write"), number(row.cache_write_tokens)],
          [t("requests.credits"), number(row.credits, 6)],
          [t("requests.provenance"), row.usage_provenance && word("requests.provenance", row.usage_provenance)],
          [t("requests.searches"), row.searches ? number(row.searches) : ""],
        ]} /><//>
      </div>
      <${Card} title=${t("requests.attempts")} flush>${attempts.length ? html`<div class="scroll" tabindex="0" role="region" aria-label=${t("requests.attempts")}><table class="list stacked"><thead><tr>
        <th scope="col">#</th><th scope="col">${t("requests.account")}</th><th scope="col">${t("requests.upstream-model")}</th><th scope="col">${t("requests.outcome")}</th><th scope="col" class="right">${t("requests.total")}</th></tr></thead>
        <tbody>${attempts.map((each, index) => html`<tr><td class="lead" data-label="#">${index + 1}</td><td data-label=${t("requests.account")}>${each.account}</td><td data-label=${t("requests.upstream-model")}><code>${each.upstream_model}</code></td>
          <td data-label=${t("requests.outcome")}><${Badge} tone=${each.outcome === "served" ? "good" : "bad"}>${each.outcome}${each.status ? ` (${each.status})` : ""}<//></td><td class="right number" data-label=${t("requests.total")}>${duration(each.seconds)}</td></tr>`)}</tbody></table></div>`
        : html`<${Empty} title=${t("requests.no-attempts")} />`}<//>
      <${Card} title=${t("requests.repairs")}>${row.repairs && row.repairs.length
        ? html`<div class="row tight">${row.repairs.map((each) => html`<${Badge} tone="info" dot=${false}>${each}<//>`)}</div>` : html`<p class="soft">${t("requests.no-repairs")}</p>`}<//>`}
  </div>`;
}

export default function Requests({ id, query: asked }) {
  return id ? html`<${One} id=${id} />` : html`<${List} key=${asked.toString()} asked=${asked} />`;
}
