// Something to be copied: a key shown once, a snippet.
import { html, useState } from "../lib.js";
import { t } from "../i18n.js";
import { tell } from "../state.js";
import { Button } from "./plain.js";

/** Put a text on the clipboard, also where the page is not served over TLS. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    // Inside an open dialog, if there is one: nothing outside it can be selected.
    const host = document.querySelector("dialog[open]") || document.body;
    host.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("copy");
  }
}

export function CopyButton({ text, little, children }) {
  const [done, set] = useState(false);
  async function take() {
    try {
      await copy(text);
      set(true);
      setTimeout(() => set(false), 2000);
    } catch {
      tell(t("error.copy"), "bad");
    }
  }
  return html`<${Button} icon=${done ? "check" : "copy"} little=${little} onClick=${take}
    label=${children ? undefined : t("action.copy")}>${children && (done ? t("state.copied") : children)}<//>`;
}

/** A value that is shown now and never again. */
export function Once({ value }) {
  return html`<div class="once"><code data-once>${value}</code><${CopyButton} text=${value}>${t("action.copy")}<//></div>`;
}
