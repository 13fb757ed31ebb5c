// The frame around the views: sidebar with navigation, and the bar on top of it on a phone.
import { del } from "../api.js";
import { connected } from "../events.js";
import { html } from "../lib.js";
import { LANGUAGES, language, t } from "../i18n.js";
import { address, is_dark, place, session, tell, theme, useShared } from "../state.js";
import { Icon } from "./icon.js";
import { Button } from "./plain.js";

const OF_ADMINS = ["dashboard", "accounts", "groups", "keys", "requests", "explain", "connect", "settings", "audit"];
const OF_CLIENTS = ["usage", "connect"];

function Brand() {
  return html`<a class="brand" href="#/"><img src="/static/icon.svg" alt="" />kiro2api</a>`;
}

export function TopBar({ open, toggle }) {
  return html`<div class="topbar"><${Button} icon=${open ? "close" : "menu"} kind="plain"
    label=${t("nav.menu")} aria-expanded=${String(open)} aria-controls="side" onClick=${toggle} /><${Brand} /></div>`;
}

export function Languages() {
  const now = useShared(language);
  const [next, name] = LANGUAGES.find(([code]) => code !== now);
  return html`<${Button} kind="plain" icon="globe" little lang=${next === "zh" ? "zh-CN" : "en"}
    onClick=${() => language.set(next)}>${name}<//>`;
}

export function Themes() {
  useShared(theme);
  const dark = is_dark();
  return html`<${Button} kind="plain" icon=${dark ? "sun" : "moon"} little
    label=${t(dark ? "nav.light" : "nav.dark")} onClick=${() => theme.set(dark ? "light" : "dark")} />`;
}

export function Side({ who, open, close }) {
  const here = useShared(place);
  const live = useShared(connected);
  const names = who.role === "admin" ? OF_ADMINS : OF_CLIENTS;
  const current = names.includes(here.view) ? here.view : names[0];
  async function leave() {
    try {
      await del("/api/session");
    } catch (error) {
      tell(error.message, "bad");
    }
    session.set(null);
  }
  return html`
    ${open && html`<button class="scrim" type="button" aria-label=${t("nav.close")} onClick=${close}></button>`}
    <aside class=${`side${open ? " open" : ""}`} id="side">
      <${Brand} />
      <nav aria-label=${t("nav.main")}>
        ${names.map((name) => html`<a href=${address(name)} aria-current=${name === current ? "page" : undefined}>
          <${Icon} name=${name} />${t(`nav.${name}`)}</a>`)}
      </nav>
      <footer>
        <div class="who small"><span class=${`live-dot${who.role === "admin" && !live ? " off" : ""}`} aria-hidden="true"></span>
          <span title=${who.name}>${who.name}</span></div>
        <div class="tools"><${Languages} /><${Themes} />
          <${Button} kind="plain" icon="leave" little label=${t("nav.leave")} onClick=${leave} /></div>
        <span class="soft small">kiro2api ${who.version}</span>
      </footer>
    </aside>`;
}
