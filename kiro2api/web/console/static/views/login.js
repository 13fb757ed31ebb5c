// The first page: one key, sent once and kept nowhere in the browser.
import { call } from "../api.js";
import { html, useState } from "../lib.js";
import { t } from "../i18n.js";
import { session } from "../state.js";
import { TextField } from "../parts/field.js";
import { Languages, Themes } from "../parts/frame.js";

export function Login() {
  const [key, set_key] = useState("");
  const [busy, set_busy] = useState(false);
  const [wrong, set_wrong] = useState("");
  async function enter(event) {
    event.preventDefault();
    set_busy(true);
    set_wrong("");
    try {
      session.set(await call("POST", "/api/session", { key: key.trim() }, { quiet: true }));
    } catch (error) {
      const slow = error.status === 429;
      set_wrong(t(slow ? "login.slow" : error.status === 401 ? "login.wrong" : "login.failed", { why: error.message }));
      set_busy(false);
    }
  }
  return html`<main class="gate"><form class="card fade" onSubmit=${enter}>
    <div class="brand"><img src="/static/icon.svg" alt="" />kiro2api</div>
    <h1 class="out-of-sight">${t("login.title")}</h1>
    <${TextField} label=${t("login.key")} hint=${t("login.hint")} type="password" value=${key} onChange=${set_key}
      wrong=${wrong} name="key" autofocus required autocomplete="current-password" />
    <button class="button main-action" type="submit" disabled=${busy || !key.trim()} aria-busy=${busy ? "true" : undefined}>${t("login.enter")}</button>
    <div class="tools"><${Languages} /><${Themes} /></div>
  </form></main>`;
}
