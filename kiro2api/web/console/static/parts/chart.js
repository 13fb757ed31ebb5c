// Charts over time. The library is fetched with the first chart; colours follow the theme.
import { html, useEffect, useRef, useState } from "../lib.js";
import { compact, language, moment, t } from "../i18n.js";
import { theme, useShared } from "../state.js";

let library = null;

async function uplot() {
  if (!library) {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = "/static/vendor/uplot-1.6.32.css";
    document.head.append(sheet);
    library = import("../vendor/uplot-1.6.32.js").then((module) => module.default);
  }
  return library;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * `at`: epoch seconds; `series`: {label, values, colour: 1..8, bars?}. The same numbers stand in a
 * table that only screen readers see.
 */
export function Chart({ label, at, series, height = 240, format = compact }) {
  const box = useRef(null);
  const [Plot, set] = useState(null);
  const looks = useShared(theme);
  const tongue = useShared(language);
  useEffect(() => { uplot().then((found) => set(() => found)); }, []);
  useEffect(() => {
    if (!Plot || !at.length) return undefined;
    const soft = colour("--text-soft");
    const axis = { stroke: soft, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    // Half a step on both sides, so that the first and the last bar are whole.
    const edge = at.length > 1 ? (at[1] - at[0]) / 2 : 1800;
    const long = at[at.length - 1] - at[0] > 2 * 86400;
    const when = (mark) => moment(mark * 1000, long ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" });
    const plot = new Plot({
      width: box.current.clientWidth || 600,
      height,
      legend: { show: false },
      cursor: { y: false, points: { size: 7 } },
      scales: { x: { range: (_, first, last) => [first - edge, last + edge] }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [{ ...axis, size: 30, values: (_, marks) => marks.map(when) }, { ...axis, size: 56, values: (_, marks) => marks.map((mark) => format(mark)) }],
      series: [{}, ...series.map((each) => {
        const line = colour(`--chart-${each.colour}`);
        return {
          label: each.label,
          stroke: line,
          width: each.bars ? 0 : 2,
          fill: each.bars ? line : `${line}22`,
          points: { show: false },
          paths: each.bars ? Plot.paths.bars({ size: [0.72, 40], radius: 0.18 }) : Plot.paths.spline(),
        };
      })],
    }, [at, ...series.map((each) => each.drawn || each.values)], box.current);
    const watch = new ResizeObserver(() => plot.setSize({ width: box.current.clientWidth, height }));
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [Plot, at, series, looks, tongue, height]);
  return html`<figure aria-label=${label}>
    <div class="chart" ref=${box} aria-hidden="true"></div>
    <ul class="legend" aria-hidden="true">${series.map((each) => html`<li>
      <span class=${`swatch c${each.colour}`}></span>${each.label}</li>`)}</ul>
    <div class="out-of-sight"><table><caption>${label}</caption>
      <thead><tr><th scope="col">${t("time.moment")}</th>${series.map((each) => html`<th scope="col">${each.label}</th>`)}</tr></thead>
      <tbody>${at.map((when, row) => html`<tr><th scope="row">${moment(when * 1000)}</th>
        ${series.map((each) => html`<td>${format(each.values[row])}</td>`)}</tr>`)}</tbody></table></div>
  </figure>`;
}
