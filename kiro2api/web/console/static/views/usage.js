// What one client key has used: the only page, beside the snippets, that a client sees.
import { query, useData } from "../api.js";
import { html } from "../lib.js";
import { language, t } from "../i18n.js";
import { go, session, useShared } from "../state.js";
import { Headline, OverTime, Period, PERIODS, Shares } from "../parts/figures.js";
import { Loading, PageHead, Problem } from "../parts/plain.js";

export default function Usage({ query: asked }) {
  const who = useShared(session);
  const tongue = useShared(language);
  const wish = asked.get("period");
  const period = PERIODS.includes(wish) ? wish : "30d";
  const { data, error, again } = useData(query("/api/usage", { period }));
  return html`<div class="page"><${PageHead} title=${t("nav.usage")} hint=${t("usage.hint", { name: who.name })}>
      <${Period} value=${period} onChange=${(next) => go("usage", "", { period: next }, true)} /><//>
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${!data && !error && html`<${Loading} />`}
    ${data && html`<div class="grid stats"><${Headline} totals=${data.totals} /></div>
      <${OverTime} series=${data.series} tongue=${tongue} />
      <${Shares} title=${t("dashboard.by-model")} rows=${data.by_model} />`}</div>`;
}
