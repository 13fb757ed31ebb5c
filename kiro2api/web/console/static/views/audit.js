// Who changed what, newest first.
import { query, useData } from "../api.js";
import { html, useState } from "../lib.js";
import { moment, t, word } from "../i18n.js";
import { Card, Empty, Loading, PageHead, Problem } from "../parts/plain.js";
import { Pager, Table } from "../parts/table.js";

const SIZE = 50;

export default function Audit() {
  const [page, set_page] = useState(1);
  const { data, error, again } = useData(query("/api/audit", { page, page_size: SIZE }));
  const columns = [
    { name: "at", title: t("audit.at"), lead: true, draw: (row) => html`<span class="nowrap number">${moment(row.at, { dateStyle: "medium", timeStyle: "medium" })}</span>` },
    { name: "actor", title: t("audit.actor"), draw: (row) => row.actor },
    { name: "action", title: t("audit.action"), draw: (row) => word("audit.did", row.action) },
    { name: "subject", title: t("audit.subject"), draw: (row) => html`<code class="break">${row.subject}</code>` },
    { name: "detail", title: t("audit.detail"), draw: (row) => html`<code class="break small">${typeof row.detail === "string" ? row.detail : JSON.stringify(row.detail)}</code>` },
  ];
  return html`<div class="page"><${PageHead} title=${t("nav.audit")} hint=${t("audit.hint")} />
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${!data && !error && html`<${Loading} />`}
    ${data && html`<${Card} flush>
      ${data.items.length ? html`<${Table} label=${t("nav.audit")} columns=${columns} rows=${data.items} key_of=${(row) => row.id} />` : html`<${Empty} title=${t("audit.empty")} />`}
      <${Pager} page=${page} page_size=${SIZE} total=${data.total} onPage=${set_page} /><//>`}</div>`;
}
