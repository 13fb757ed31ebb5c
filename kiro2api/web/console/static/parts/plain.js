// Parts without any state of their own: buttons, badges, notes, bars.
import { html } from "../lib.js";
import { t } from "../i18n.js";
import { Icon } from "./icon.js";

/** `kind`: "", "main-action", "danger", "plain"; an icon alone needs a `label`. */
export function Button({ icon, label, kind = "", little, busy, children, ...rest }) {
  const classes = ["button", kind, little && "little", icon && !children && "icon-only"];
  return html`<button type="button" class=${classes.filter(Boolean).join(" ")}
    aria-label=${label} title=${label} aria-busy=${busy ? "true" : undefined}
    disabled=${busy || rest.disabled} ...${rest}>
    ${icon && html`<${Icon} name=${busy ? "refresh" : icon} spin=${busy} />`}${children}</button>`;
}

/** `tone`: "good", "warn", "bad", "info", "accent" or none. */
export function Badge({ tone = "", dot = true, children, ...rest }) {
  return html`<span class=${`badge ${tone}${dot ? "" : " no-dot"}`} ...${rest}>${children}</span>`;
}

export function Note({ tone = "", children }) {
  return html`<div class=${`note ${tone}`} role=${tone === "bad" ? "alert" : undefined}>${children}</div>`;
}

/** What went wrong, in the service's own words, with a way to try again. */
export function Problem({ error, again }) {
  const text = error.message === "unreachable" ? t("error.unreachable") : error.message;
  return html`<div class="note bad row" role="alert">
    <${Icon} name="warn" /><span class="break">${text}</span>
    ${again && html`<${Button} little onClick=${again}>${t("action.again")}<//>`}</div>`;
}

export function Loading() {
  return html`<div class="empty" role="status"><${Icon} name="refresh" spin /><span>${t("state.loading")}</span></div>`;
}

export function Empty({ icon = "empty", title, children }) {
  return html`<div class="empty"><${Icon} name=${icon} /><strong>${title}</strong>${children}</div>`;
}

/** The title of a page, what it is for, and its actions. */
export function PageHead({ title, hint, children }) {
  return html`<div class="page-head"><div><h1>${title}</h1>
    ${hint && html`<p class="soft">${hint}</p>`}</div>
    ${children && html`<div class="row">${children}</div>`}</div>`;
}

export function Card({ title, actions, flush, dim, children, ...rest }) {
  return html`<section class=${`card${flush ? " flush" : ""}${dim ? " dim" : ""}`} ...${rest}>
    ${(title || actions) && html`<header>${title && html`<h2>${title}</h2>`}${actions}</header>`}
    ${children}</section>`;
}

export function Stat({ label, value, note }) {
  return html`<div class="card stat"><span class="label">${label}</span>
    <span class="value">${value}</span>${note && html`<span class="under">${note}</span>`}</div>`;
}

/** How much of something is left, from 0 to 1. */
export function Bar({ share, label, tone }) {
  const value = Math.max(0, Math.min(1, share || 0));
  const kind = tone ?? (value > 0.5 ? "" : value > 0.2 ? "warn" : "bad");
  return html`<div class=${`bar ${kind}`}><progress value=${value} max="1" aria-label=${label}></progress></div>`;
}

/** Names and values, one below the other; empty values are left out. */
export function Facts({ rows }) {
  const shown = rows.filter(([, value]) => value !== "" && value != null);
  return html`<dl class="facts">${shown.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** One of a few choices, all visible. */
export function Segments({ label, value, choices, onChange }) {
  return html`<div class="segments" role="group" aria-label=${label}>
    ${choices.map(([each, text]) => html`<button type="button" aria-pressed=${String(each === value)}
      onClick=${() => onChange(each)}>${text}</button>`)}</div>`;
}
