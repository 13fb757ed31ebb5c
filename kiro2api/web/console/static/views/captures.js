// Failed requests that are kept for a while, where an operator has asked for it.
import { del, post, useData } from "../api.js";
import { html, useState } from "../lib.js";
import { distance, moment, number, t } from "../i18n.js";
import { address, tell } from "../state.js";
import { Confirm } from "../parts/dialog.js";
import { Badge, Button, Card, Problem, Segments } from "../parts/plain.js";

const MINUTES = [15, 30, 60];

function Kept({ items }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${t("captures.title")}><table class="list stacked">
    <thead><tr><th scope="col">${t("captures.at")}</th><th scope="col">${t("captures.request")}</th><th scope="col" class="right">${t("captures.size")}</th><th scope="col" class="right">${t("captures.get")}</th></tr></thead>
    <tbody>${items.map((each) => html`<tr key=${each.request_id}><td class="lead number" data-label=${t("captures.at")}>${moment(each.at, { dateStyle: "short", timeStyle: "medium" })}</td>
      <td data-label=${t("captures.request")}><a href=${address("requests", each.request_id)}><code class="break">${each.request_id}</code></a></td>
      <td class="right number" data-label=${t("captures.size")}>${t("captures.octets", { count: number(each.octets) })}</td>
      <td class="right" data-label=${t("captures.get")}><a href=${`/api/captures/${encodeURIComponent(each.request_id)}`} download=${`${each.request_id}.json`}>${t("captures.download")}</a></td></tr>`)}</tbody></table></div>`;
}

export function Captures() {
  const { data, error, again } = useData("/api/captures");
  const [minutes, set] = useState(15);
  const [asking, ask] = useState(false);
  async function turn(span) {
    try {
      await post("/api/captures", { minutes: span });
      tell(t(span ? "captures.switched-on" : "captures.switched-off"));
    } catch (refused) {
      tell(refused.message, "bad");
    }
    again();
  }
  async function clear() {
    await del("/api/captures");
    tell(t("captures.cleared"));
    ask(false);
    again();
  }
  if (!data) return error && html`<${Problem} error=${error} again=${again} />`;
  return html`<${Card} title=${t("captures.title")} data-captures=${data.active ? "on" : "off"} flush=${data.items.length > 0}
      actions=${html`<${Badge} tone=${data.active ? "warn" : ""}>${data.active ? t("captures.on", { when: distance(data.until) }) : t("captures.off")}<//>`}>
    <div class=${`stack${data.items.length ? " inset" : ""}`}><p class="soft">${t("captures.hint")}</p>
      <div class="row">${data.active
        ? html`<${Button} icon="stop" onClick=${() => turn(0)}>${t("captures.switch-off")}<//>`
        : html`<${Segments} label=${t("captures.minutes")} value=${minutes} onChange=${set} choices=${MINUTES.map((each) => [each, t("captures.so-many", { count: each })])} />
          <${Button} icon="play" onClick=${() => turn(minutes)}>${t("captures.switch-on")}<//>`}
        <${Button} kind="plain" icon="refresh" label=${t("captures.look")} onClick=${again} />
        ${data.items.length > 0 && html`<span class="push"><${Button} kind="danger" icon="trash" onClick=${() => ask(true)}>${t("captures.clear")}<//></span>`}</div></div>
    ${data.items.length > 0 && html`<${Kept} items=${data.items} />`}
    ${asking && html`<${Confirm} title=${t("captures.clear")} submit=${t("action.delete")} save=${clear} onClose=${() => ask(false)}>${t("captures.clear-hint")}<//>`}<//>`;
}
