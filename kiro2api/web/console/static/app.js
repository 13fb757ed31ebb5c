// The page: who is logged in, the frame around the views, and which view is shown.
import { get } from "./api.js";
import "./events.js";
import { html, render, useEffect, useRef, useState } from "./lib.js";
import { language, t } from "./i18n.js";
import { place, session, useShared } from "./state.js";
import { Side, TopBar } from "./parts/frame.js";
import { Loading, Problem } from "./parts/plain.js";
import { Toasts } from "./parts/toasts.js";
import { Login } from "./views/login.js";

// A view is fetched when it is first opened, so that the login page stays small.
const VIEWS = {
  dashboard: () => import("./views/dashboard.js"),
  accounts: () => import("./views/accounts.js"),
  groups: () => import("./views/groups.js"),
  keys: () => import("./views/keys.js"),
  requests: () => import("./views/requests.js"),
  explain: () => import("./views/explain.js"),
  settings: () => import("./views/settings.js"),
  connect: () => import("./views/connect.js"),
  audit: () => import("./views/audit.js"),
  usage: () => import("./views/usage.js"),
};
const OF_CLIENTS = ["usage", "connect"];

/** The view of this name, as far as the role may see it. */
function chosen(view, role) {
  const allowed = role === "admin" ? Object.keys(VIEWS) : OF_CLIENTS;
  return allowed.includes(view) ? view : allowed[0];
}

function Main({ role }) {
  const here = useShared(place);
  const name = chosen(here.view, role);
  const [loaded, set] = useState({ name: "", View: null, error: null });
  useEffect(() => {
    let left = false;
    VIEWS[name]()
      .then((module) => !left && set({ name, View: module.default, error: null }))
      .catch((error) => !left && set({ name, View: null, error }));
    document.title = `${t(`nav.${name}`)} · kiro2api`;
    return () => { left = true; };
  }, [name]);
  useEffect(() => { window.scrollTo(0, 0); }, [name, here.id]);
  const { View, error } = loaded;
  return html`
    <main class="main" id="main" tabindex="-1">
      ${error && html`<${Problem} error=${error} />`}
      ${!error && (View && loaded.name === name
        ? html`<${View} key=${name} id=${here.id} query=${here.query} />`
        : html`<${Loading} />`)}
    </main>`;
}

function App() {
  const who = useShared(session);
  useShared(language);
  const [menu, set_menu] = useState(false);
  const here = useShared(place);
  useEffect(() => { set_menu(false); }, [here]);
  useEffect(() => {
    get("/api/session", { quiet: true })
      .then((found) => session.set(found.role ? found : null))
      .catch(() => session.set(null));
  }, []);
  const was_out = useRef(false);
  useEffect(() => {
    // The form had the focus and is gone: go on from the top of what is there now.
    if (who && was_out.current) document.getElementById("main").focus();
    was_out.current = who === null;
  }, [who]);
  if (who === undefined) return html`<${Loading} />`;
  if (who === null) return html`<${Login} /><${Toasts} />`;
  return html`
    <a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    }}>${t("nav.skip")}</a>
    <div class="frame">
      <${TopBar} open=${menu} toggle=${() => set_menu(!menu)} />
      <${Side} who=${who} open=${menu} close=${() => set_menu(false)} />
      <${Main} role=${who.role} />
    </div>
    <${Toasts} />`;
}

render(html`<${App} />`, document.getElementById("app"));
