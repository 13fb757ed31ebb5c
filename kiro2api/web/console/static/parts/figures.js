// What the dashboard and the usage page share: the period, headline numbers, charts over time, shares.
import { html, useMemo, useState } from "../lib.js";
import { compact, duration, number, percent, t } from "../i18n.js";
import { Chart } from "./chart.js";
import { Card, Empty, Segments, Stat } from "./plain.js";

export const PERIODS = ["24h", "7d", "14d", "30d"];

export function Period({ value, onChange }) {
  return html`<${Segments} label=${t("figures.period")} value=${value} onChange=${onChange}
    choices=${PERIODS.map((each) => [each, t(`figures.period.${each}`)])} />`;
}

/** The numbers on top, for any set of totals. */
export function Headline({ totals }) {
  const tokens = totals.input_tokens + totals.output_tokens;
  return html`<${Stat} label=${t("figures.requests")} value=${compact(totals.requests)}
      note=${t("figures.failed", { failed: number(totals.failed), refused: number(totals.refused), abandoned: number(totals.abandoned) })} />
    <${Stat} label=${t("figures.success")} value=${totals.requests ? percent(totals.success_rate) : "–"} />
    <${Stat} label=${t("figures.first")} value=${duration(totals.first_event_p50)} note=${totals.first_event_p95 != null && t("figures.p95", { value: duration(totals.first_event_p95) })} />
    <${Stat} label=${t("figures.total")} value=${duration(totals.total_p50)} note=${totals.total_p95 != null && t("figures.p95", { value: duration(totals.total_p95) })} />
    <${Stat} label=${t("figures.tokens")} value=${compact(tokens)}
      note=${t("figures.tokens-note", { input: compact(totals.input_tokens), output: compact(totals.output_tokens), cached: compact(totals.cache_read_tokens) })} />
    <${Stat} label=${t("figures.credits")} value=${number(totals.credits, totals.credits < 1000 ? 2 : 0)} />`;
}

const CHARTS = {
  requests: (series) => [
    // Drawn on top of each other: what failed shows above what was served.
    { label: t("figures.failed-short"), values: series.map((each) => each.failed), drawn: series.map((each) => each.served + each.failed), colour: 5, bars: true },
    { label: t("figures.served"), values: series.map((each) => each.served), colour: 2, bars: true },
  ],
  tokens: (series) => [
    { label: t("figures.input"), values: series.map((each) => each.input_tokens), colour: 1 },
    { label: t("figures.output"), values: series.map((each) => each.output_tokens), colour: 3 },
  ],
  credits: (series) => [{ label: t("figures.credits"), values: series.map((each) => each.credits), colour: 4 }],
};

/** One chart over time; which of the numbers it shows is the reader's choice. */
export function OverTime({ series, tongue }) {
  const [what, set] = useState("requests");
  const at = useMemo(() => series.map((each) => new Date(each.at) / 1000), [series]);
  const lines = useMemo(() => CHARTS[what](series), [series, what, tongue]);
  const label = t(`figures.over-time.${what}`);
  return html`<${Card} title=${label} actions=${html`<${Segments} label=${t("figures.what")} value=${what} onChange=${set}
      choices=${Object.keys(CHARTS).map((each) => [each, t(`figures.what.${each}`)])} />`}>
    ${series.some((each) => each.requests) ? html`<${Chart} label=${label} at=${at} series=${lines} />` : html`<${Empty} title=${t("figures.empty")} />`}<//>`;
}

/** Who has which part of something: a bar each, the largest first. */
export function Shares({ title, rows, measure = "requests", name_of = (row) => row.name || "–", link_of }) {
  const sorted = [...rows].sort((a, b) => b[measure] - a[measure]).slice(0, 8);
  const most = Math.max(1e-9, ...sorted.map((row) => row[measure]));
  return html`<${Card} title=${title}>${sorted.length ? html`<div class="shares">${sorted.map((row) => html`<div class="share">
      <span class="break">${link_of && row.name ? html`<a href=${link_of(row)}>${name_of(row)}</a>` : name_of(row)}</span><span class="number soft small nowrap">${compact(row.requests)} · ${number(row.credits, 2)} ${t("figures.credits-unit")}</span>
      <div class="bar plain"><progress value=${row[measure]} max=${most} aria-label=${name_of(row)}></progress></div></div>`)}</div>`
    : html`<p class="soft">${t("figures.empty")}</p>`}<//>`;
}
