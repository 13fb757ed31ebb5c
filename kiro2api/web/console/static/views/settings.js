// Settings: what each is, where its value comes from, and those that can be changed while running.
import { patch, useData } from "../api.js";
import { html, useState } from "../lib.js";
import { t, word } from "../i18n.js";
import { tell } from "../state.js";
import { Select, TextField } from "../parts/field.js";
import { Badge, Button, Card, Loading, Note, PageHead, Problem } from "../parts/plain.js";

/** A value as an operator reads it; of a secret only whether there is one. */
function shown(setting, value = setting.value) {
  if (setting.kind === "secret") return t(value ? "settings.given" : "settings.not-given");
  if (setting.kind === "boolean") return t(value ? "state.yes" : "state.no");
  return value === null || value === "" ? "–" : String(value);
}

/** One setting that may be changed: saved by itself, so that a mistake stays at its field. */
function Editable({ setting, onSaved }) {
  const [text, set] = useState(String(setting.value ?? ""));
  const [wrong, set_wrong] = useState("");
  const [busy, set_busy] = useState(false);
  async function save(value) {
    set_busy(true);
    set_wrong("");
    try {
      await patch("/api/settings", { [setting.name]: value });
      tell(t("settings.saved", { name: setting.name }));
      onSaved();
    } catch (refused) {
      set_wrong(refused.message);
    }
    set_busy(false);
  }
  const hint = `${setting.meaning}${setting.unit ? ` (${setting.unit})` : ""}`;
  const numeric = ["integer", "number"].includes(setting.kind);
  const choices = setting.kind === "choice" ? setting.choices.map((each) => [each, each])
    : setting.kind === "boolean" ? [["true", t("state.yes")], ["false", t("state.no")]] : null;
  return html`<form class="stack" onSubmit=${(event) => { event.preventDefault(); save(text); }} data-setting=${setting.name}>
    ${choices
      ? html`<${Select} label=${setting.name} hint=${hint} wrong=${wrong} value=${text} onChange=${set} choices=${choices} />`
      : html`<${TextField} label=${setting.name} hint=${hint} wrong=${wrong} value=${text} onChange=${set} placeholder=${setting.accepts} inputmode=${numeric ? "decimal" : undefined} />`}
    <div class="row tight"><${Badge} dot=${false} tone=${setting.source === "stored" ? "accent" : ""}>${word("settings.source", setting.source)}<//>
      <span class="soft small">${t("settings.default", { value: shown(setting, setting.default) })}</span>
      <span class="row tight push">
        ${setting.source === "stored" && html`<${Button} little busy=${busy} onClick=${() => save(null)}>${t("settings.reset")}<//>`}
        <button class="button little main-action" type="submit" disabled=${busy || text === String(setting.value ?? "")}>${t("action.save")}</button></span></div>
  </form>`;
}

export default function Settings() {
  const { data, error, again } = useData("/api/settings");
  const settings = data ? data.settings : [];
  const open = settings.filter((each) => each.live && !each.locked);
  const fixed = settings.filter((each) => !each.live || each.locked);
  return html`<div class="page"><${PageHead} title=${t("nav.settings")} hint=${t("settings.hint")} />
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${!data && !error && html`<${Loading} />`}
    ${data && html`
      <${Card} title=${t("settings.live")}><div class="grid two">${open.map((each) => html`<${Editable} key=${`${each.name} ${each.value} ${each.source}`} setting=${each} onSaved=${again} />`)}</div><//>
      <${Card} title=${t("settings.fixed")} flush><div class="stack"><div class="scroll" tabindex="0" role="region" aria-label=${t("settings.fixed")}>
        <table class="list stacked"><thead><tr><th scope="col">${t("settings.name")}</th><th scope="col">${t("settings.value")}</th><th scope="col">${t("settings.from")}</th><th scope="col">${t("settings.meaning")}</th></tr></thead>
        <tbody>${fixed.map((each) => html`<tr><td class="lead" data-label=${t("settings.name")}><code class="break">${each.name}</code></td>
          <td data-label=${t("settings.value")}><code class="break">${shown(each)}</code></td>
          <td data-label=${t("settings.from")}><${Badge} dot=${false}>${word("settings.source", each.source)}<//></td>
          <td data-label=${t("settings.meaning")}><span class="small">${each.meaning}${each.locked && html` <span class="soft">${t("settings.locked", { env: each.env })}</span>`}</span></td></tr>`)}</tbody></table></div>
        </div><//>
      <${Note}>${t("settings.restart")}<//>`}
  </div>`;
}
