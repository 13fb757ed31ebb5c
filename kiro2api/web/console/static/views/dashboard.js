// How the service does: headline numbers, charts, the pool, what runs now, and how long credits last.
import { ALL_GROUPS, post, query, useData } from "../api.js";
import { connected, useNews } from "../events.js";
import { html, useCallback, useEffect, useRef, useState } from "../lib.js";
import { compact, distance, duration, language, moment, number, percent, t, word } from "../i18n.js";
import { address, go, tell, useShared } from "../state.js";
import { Headline, OverTime, Period, PERIODS, Shares } from "../parts/figures.js";
import { Select } from "../parts/field.js";
import { Badge, Bar, Button, Card, Empty, Loading, PageHead, Problem } from "../parts/plain.js";
import { STATES, tone_of } from "../parts/states.js";

function Pool({ pool }) {
  return html`<${Card} title=${t("dashboard.pool")} actions=${html`<a href="#/accounts" class="small">${t("dashboard.all-accounts")}</a>`}>
    <div class="stack"><div class="row"><span class="stat"><span class="value">${number(pool.ready)} / ${number(pool.total)}</span>
        <span class="under">${t("dashboard.ready")}</span></span>
      <span class="push stat"><span class="value">${number(pool.in_flight)}</span><span class="under">${t("dashboard.in-flight")}</span></span>
      <span class="push stat"><span class="value">${pool.ready ? percent(pool.working / pool.ready, 0) : "–"}</span><span class="under">${t("dashboard.load")}</span></span></div>
    <${Bar} share=${pool.total ? pool.ready / pool.total : 0} label=${t("dashboard.ready")} />
    <div class="row tight">${STATES.filter((state) => pool[state]).map((state) => html`<a href=${address("accounts", "", { state })}>
      <${Badge} tone=${tone_of(state)}>${word("state-of", state)} ${number(pool[state])}<//></a>`)}</div></div><//>`;
}

function Burn({ burn }) {
  const worrying = (burn.accounts || []).filter((each) => each.exhausted_at || each.credits_left != null).slice(0, 6);
  return html`<${Card} title=${t("dashboard.burn")}><div class="stack">
    <div class="row"><span class="stat"><span class="value">${burn.credits_left == null ? "–" : compact(burn.credits_left)}</span><span class="under">${t("dashboard.credits-left")}</span></span>
      <span class="push stat"><span class="value">${number(burn.credits_per_hour, 2)}</span><span class="under">${t("dashboard.per-hour")}</span></span></div>
    <p class="soft small">${burn.exhausted_at ? t("dashboard.runs-out", { when: distance(burn.exhausted_at), at: moment(burn.exhausted_at) }) : t("dashboard.lasts")}
      ${burn.resets_at ? ` ${t("dashboard.resets", { when: distance(burn.resets_at) })}` : ""}
      ${burn.unknown ? ` ${t("dashboard.unknown", { count: number(burn.unknown) })}` : ""}</p>
    ${worrying.length > 0 && html`<ul class="stack tight">${worrying.map((each) => html`<li class="row small"><a href=${address("accounts", each.id)}>${each.name}</a>
      <span class="push soft number">${each.credits_left == null ? "–" : number(each.credits_left, 1)}${each.exhausted_at ? ` · ${distance(each.exhausted_at)}` : ""}</span></li>`)}</ul>`}
  </div><//>`;
}

function Live() {
  const first = useData("/api/live");
  const [running, set] = useState({ items: [] });
  const [now, tick] = useState(Date.now());
  const told = useRef(Date.now());
  const live = useShared(connected);
  useNews("live", useCallback((news) => { told.current = Date.now(); set(news); }, []));
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => { if (first.data) { told.current = Date.now(); set(first.data); } }, [first.data]);
  async function cancel(id) {
    try {
      await post(`/api/live/${id}/cancel`);
      tell(t("dashboard.cancelled"));
      first.again();
    } catch (refused) {
      tell(refused.message, "bad");
    }
  }
  const rows = running.items;
  return html`<${Card} title=${t("dashboard.live")} flush data-live actions=${html`<${Badge} tone=${live ? "good" : "bad"}>${t(live ? "dashboard.connected" : "dashboard.disconnected")}<//>`}>
    ${rows.length === 0 ? html`<${Empty} title=${t("dashboard.nothing-runs")} />` : html`<div class="scroll" tabindex="0" role="region" aria-label=${t("dashboard.live")}>
      <table class="list stacked"><thead><tr><th scope="col">${t("requests.model")}</th><th scope="col">${t("requests.account")}</th><th scope="col">${t("requests.key")}</th>
        <th scope="col" class="right">${t("dashboard.age")}</th><th scope="col" class="right">${t("dashboard.tokens")}</th><th scope="col" class="right">${t("action.more")}</th></tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.request_id}><td class="lead" data-label=${t("requests.model")}>${row.model}</td>
        <td data-label=${t("requests.account")}><span class="stack tight"><span>${row.account || "–"}</span><span class="soft small">${word("dashboard.state", row.state)}</span></span></td><td data-label=${t("requests.key")}>${row.key}</td>
        <td class="right number" data-label=${t("dashboard.age")}>${duration(row.age_seconds + (now - told.current) / 1000)}</td>
        <td class="right number" data-label=${t("dashboard.tokens")}>${compact(row.output_tokens)}</td>
        <td class="right" data-label=${t("action.more")}><${Button} little icon="stop" kind="danger" label=${t("dashboard.cancel", { id: row.request_id })} onClick=${() => cancel(row.request_id)} /></td></tr>`)}</tbody></table></div>`}
    ${running.partial && html`<p class="soft small inset">${t("dashboard.partial")}</p>`}<//>`;
}

export default function Dashboard({ query: asked }) {
  const wish = asked.get("period");
  const period = PERIODS.includes(wish) ? wish : "24h";
  const group = asked.get("group") || "";
  const turn = (change) => go("dashboard", "", { period, group, ...change }, true);
  const { data, error, again } = useData(query("/api/stats", { period, group }));
  const { data: groups } = useData(ALL_GROUPS);
  const tongue = useShared(language);
  useNews("stats", again);
  return html`<div class="page"><${PageHead} title=${t("nav.dashboard")}>
      ${groups && groups.items.length > 1 && html`<div class="beside"><${Select} label=${t("accounts.group")} value=${group} onChange=${(next) => turn({ group: next })}
        choices=${[["", t("dashboard.all-groups")], ...groups.items.map((each) => [each.name, each.display_name || each.name])]} /></div>`}
      <${Period} value=${period} onChange=${(next) => turn({ period: next })} /><//>
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${!data && !error && html`<${Loading} />`}
    ${data && html`<div class="grid stats"><${Headline} totals=${data.totals} /></div>
      <${OverTime} series=${data.series} tongue=${tongue} />
      <div class="grid two"><${Pool} pool=${data.pool} /><${Burn} burn=${data.burn} /></div>
      <${Live} />
      <div class="grid two">
        <${Shares} title=${t("dashboard.by-model")} rows=${data.by_model} />
        <${Shares} title=${t("dashboard.by-account")} rows=${data.by_account} link_of=${(row) => address("requests", "", { account: row.name })} />
        <${Shares} title=${t("dashboard.by-key")} rows=${data.by_key} link_of=${(row) => address("requests", "", { key: row.name })} />
        <${Shares} title=${t("dashboard.by-status")} rows=${data.by_status} name_of=${(row) => `HTTP ${row.name}`} link_of=${(row) => address("requests", "", { status: row.name })} />
      </div>`}
  </div>`;
}
