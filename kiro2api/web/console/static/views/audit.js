// Who changed what, newest first.
import { query, usePages } from "../api.js";
import { html } from "../lib.js";
import { moment, t, word } from "../i18n.js";
import { address } from "../state.js";
import { Card, Empty, Loading, PageHead, Problem } from "../parts/plain.js";
import { Older, Table } from "../parts/table.js";

const SIZE = 50;

/** What was said, as names and values. */
function Detail({ detail }) {
  if (!detail || typeof detail !== "object") return html`<span class="break small">${detail ?? ""}</span>`;
  return html`<span class="row tight small">${Object.entries(detail).map(([name, value]) => html`<span class="break">
    <span class="soft">${name}</span> <code>${typeof value === "string" ? value : JSON.stringify(value)}</code></span>`)}</span>`;
}

/** What it was done to; an account by its name, since ids tell nobody anything. */
function Subject({ row }) {
  if (!row.subject) return "–";
  if (row.action.startsWith("account.") && row.detail?.name) return html`<a href=${address("accounts", row.subject)}>${row.detail.name}</a>`;
  return html`<code class="break">${row.subject}</code>`;
}

export default function Audit() {
  const { items, next, error, loading, again, older } = usePages(query("/api/audit", { page_size: SIZE }), (found) => found.before);
  const columns = [
    { name: "at", title: t("audit.at"), lead: true, draw: (row) => html`<span class="nowrap number">${moment(row.at, { dateStyle: "medium", timeStyle: "medium" })}</span>` },
    { name: "actor", title: t("audit.actor"), draw: (row) => row.actor },
    { name: "action", title: t("audit.action"), draw: (row) => html`<span class="nowrap">${word("audit.did", row.action)}</span>` },
    { name: "subject", title: t("audit.subject"), draw: (row) => html`<${Subject} row=${row} />` },
    { name: "detail", title: t("audit.detail"), draw: (row) => html`<${Detail} detail=${row.detail} />` },
  ];
  return html`<div class="page"><${PageHead} title=${t("nav.audit")} hint=${t("audit.hint")} />
    ${error && html`<${Problem} error=${error} again=${again} />`}
    <${Card} flush>
      ${items.length ? html`<${Table} label=${t("nav.audit")} columns=${columns} rows=${items} key_of=${(row) => row.id} />`
        : loading ? html`<${Loading} />` : !error && html`<${Empty} icon="audit" title=${t("audit.empty")} />`}
      <${Older} next=${next} busy=${loading} onClick=${older} /><//></div>`;
}
