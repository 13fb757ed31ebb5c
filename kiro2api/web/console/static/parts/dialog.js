// Dialogs: the browser's own, so that focus and the Escape key work as everywhere.
import { html, useEffect, useRef, useState } from "../lib.js";
import { t } from "../i18n.js";
import { Button, Note } from "./plain.js";

/** Opens the dialog it is put on, for as long as that is drawn. */
function useOpen() {
  const box = useRef(null);
  useEffect(() => {
    const dialog = box.current;
    if (!dialog.open) dialog.showModal();
    return () => dialog.open && dialog.close();
  }, []);
  return box;
}

/** A dialog that is open as long as it is drawn. */
export function Dialog({ title, onClose, wide, children }) {
  const box = useOpen();
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-label=${title}
    onCancel=${(event) => { event.preventDefault(); onClose(); }}>
    <div class="dialog-body">
      <header><h2>${title}</h2>
        <${Button} icon="close" kind="plain" label=${t("action.close")} onClick=${onClose} /></header>
      ${children}
    </div></dialog>`;
}

/** Whether a refusal is about this field, or about a part of it such as groups[1]. */
export const concerns = (error, name) => error.param === name || String(error.param || "").startsWith(`${name}[`);

/**
 * A form in a dialog. `save` does the work and may throw Refused: its words are shown, at the field
 * where it names one (`wrong` is handed to the children).
 */
export function FormDialog({ title, save, onClose, submit, wide, danger, children }) {
  const [busy, set_busy] = useState(false);
  const [error, set_error] = useState(null);
  const box = useOpen();
  async function send(event) {
    event.preventDefault();
    set_busy(true);
    set_error(null);
    try {
      await save();
    } catch (refused) {
      set_error(refused);
      set_busy(false);
      return;
    }
    set_busy(false);
  }
  useEffect(() => {
    if (error) box.current.querySelector('[aria-invalid="true"]')?.focus();
  }, [error]);
  // Said once: at its field, or else below all of them.
  let at_field = false;
  const wrong = (name) => {
    if (!error || !concerns(error, name)) return "";
    at_field = true;
    return error.message;
  };
  const drawn = typeof children === "function" ? children(wrong) : children;
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-label=${title}
    onCancel=${(event) => { event.preventDefault(); onClose(); }}>
    <form onSubmit=${send}>
      <header><h2>${title}</h2>
        <${Button} icon="close" kind="plain" label=${t("action.close")} onClick=${onClose} /></header>
      ${drawn}
      ${error && !at_field && html`<${Note} tone="bad">${error.message === "unreachable" ? t("error.unreachable") : error.message}<//>`}
      <footer><${Button} onClick=${onClose}>${t("action.cancel")}<//>
        <button type="submit" class=${`button main-action${danger ? " danger" : ""}`} disabled=${busy}
          aria-busy=${busy ? "true" : undefined}>${submit || t("action.save")}</button></footer>
    </form></dialog>`;
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, children, submit, save, onClose }) {
  return html`<${FormDialog} title=${title} save=${save} onClose=${onClose} submit=${submit} danger>
    <p>${children}</p><//>`;
}
