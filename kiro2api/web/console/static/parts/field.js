// Fields of forms: a label that is one, a hint, and what is wrong, tied together for screen readers.
import { html, useRef } from "../lib.js";

let fields = 0;

/** `control` is drawn with the attributes that tie it to its label and messages. */
function Field({ label, hint, wrong, control, wide }) {
  const id = useRef(null);
  if (id.current === null) id.current = `field-${++fields}`;
  const about = [hint && `${id.current}-hint`, wrong && `${id.current}-wrong`].filter(Boolean).join(" ");
  return html`<div class=${`field${wide ? " wide" : ""}`}><label for=${id.current}>${label}</label>
    ${control({ id: id.current, "aria-describedby": about || undefined, "aria-invalid": wrong ? "true" : undefined })}
    ${hint && html`<span class="hint" id=${`${id.current}-hint`}>${hint}</span>`}
    ${wrong && html`<span class="wrong" id=${`${id.current}-wrong`} role="alert">${wrong}</span>`}</div>`;
}

export function TextField({ label, hint, wrong, wide, value, onChange, type = "text", ...rest }) {
  return html`<${Field} label=${label} hint=${hint} wrong=${wrong} wide=${wide} control=${(ties) => html`
    <input type=${type} value=${value} autocomplete="off" spellcheck="false" ...${ties} ...${rest}
      onInput=${(event) => onChange(event.target.value)} />`} />`;
}

export function TextArea({ label, hint, wrong, value, onChange, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} wrong=${wrong} control=${(ties) => html`
    <textarea value=${value} autocomplete="off" spellcheck="false" ...${ties} ...${rest}
      onInput=${(event) => onChange(event.target.value)}></textarea>`} />`;
}

/** `choices`: pairs of value and text. */
export function Select({ label, hint, wrong, wide, value, onChange, choices, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} wrong=${wrong} wide=${wide} control=${(ties) => html`
    <select value=${value} ...${ties} ...${rest} onChange=${(event) => onChange(event.target.value)}>
      ${choices.map(([each, text]) => html`<option value=${each} selected=${each === value}>${text}</option>`)}
    </select>`} />`;
}

export function Check({ label, value, onChange, ...rest }) {
  return html`<label class="check"><input type="checkbox" checked=${value} ...${rest}
    onChange=${(event) => onChange(event.target.checked)} />${label}</label>`;
}
