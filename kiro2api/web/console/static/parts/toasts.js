// Short messages in the corner, read out by screen readers as they appear.
import { html } from "../lib.js";
import { t } from "../i18n.js";
import { hush, toasts, useShared } from "../state.js";
import { Button } from "./plain.js";

export function Toasts() {
  const shown = useShared(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map((each) => html`<div class=${`toast fade ${each.kind}`} key=${each.id}>
      <span class="break">${each.text}</span>
      <${Button} icon="close" kind="plain" little label=${t("action.close")}
        onClick=${() => hush(each.id)} /></div>`)}</div>`;
}
