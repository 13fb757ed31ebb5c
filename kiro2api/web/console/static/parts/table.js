// Tables whose rows the service pages and sorts; on a phone each row becomes a small block.
import { html } from "../lib.js";
import { number, t } from "../i18n.js";
import { Icon } from "./icon.js";
import { Button } from "./plain.js";

/**
 * `columns`: {name, title, draw(row), sort?, right?, lead?}; `sort` is the field's name, with "-" in
 * front for descending.
 */
export function Table({ label, columns, rows, sort = "", onSort, key_of }) {
  // Drawn by a call: as a component it would be another one each time, and its button lose the focus.
  function head(column) {
    if (!column.sort || !onSort) return html`<th scope="col" class=${column.right ? "right" : ""}>${column.title}</th>`;
    const active = sort.replace("-", "") === column.sort;
    const falling = active && sort.startsWith("-");
    const next = active && !falling ? `-${column.sort}` : column.sort;
    return html`<th scope="col" class=${column.right ? "right" : ""}
      aria-sort=${active ? (falling ? "descending" : "ascending") : "none"}>
      <button type="button" onClick=${() => onSort(next)}>${column.title}
        ${active && html`<${Icon} name=${falling ? "down" : "up"} />`}</button></th>`;
  }
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}><table class="list stacked">
    <thead><tr>${columns.map(head)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${key_of(row)}>
      ${columns.map((column) => html`<td data-label=${column.title}
        class=${[column.right && "right number", column.lead && "lead"].filter(Boolean).join(" ")}>${column.draw(row)}</td>`)}
    </tr>`)}</tbody></table></div>`;
}

/** Below a list that grows at its head: what is further down. */
export function Older({ next, busy, onClick }) {
  return next && html`<div class="pager"><${Button} busy=${busy} onClick=${onClick}>${t("pager.older")}<//></div>`;
}

export function Pager({ page, page_size, total, onPage }) {
  const last = Math.max(1, Math.ceil(total / page_size));
  return html`<nav class="pager" aria-label=${t("pager.label")}>
    <span class="soft small">${t("pager.rows", { total: number(total) })}</span>
    <span class="row tight push">
      <${Button} icon="left" little label=${t("pager.back")} disabled=${page <= 1} onClick=${() => onPage(page - 1)} />
      <span class="small number">${t("pager.page", { page: number(page), last: number(last) })}</span>
      <${Button} icon="right" little label=${t("pager.next")} disabled=${page >= last} onClick=${() => onPage(page + 1)} />
    </span></nav>`;
}
