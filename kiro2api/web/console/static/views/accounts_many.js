// What is done to many accounts at once: a refresh with its progress, and an encrypted export.
import { get, post } from "../api.js";
import { html, useEffect, useState } from "../lib.js";
import { number, t } from "../i18n.js";
import { tell } from "../state.js";
import { Dialog, FormDialog } from "../parts/dialog.js";
import { Select, TextField } from "../parts/field.js";
import { Badge, Button, Note } from "../parts/plain.js";

export function RefreshAll({ groups, onClose }) {
  const [group, set_group] = useState("");
  const [job, follow] = useState(null);
  const [error, set_error] = useState(null);
  const running = job && !job.finished;
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(() => get(`/api/jobs/${job.id}`).then(follow).catch(set_error), 700);
    return () => clearInterval(timer);
  }, [running, job?.id]);
  async function begin() {
    set_error(null);
    try {
      const made = await post("/api/tokens/refresh", group ? { group } : {});
      follow(await get(`/api/jobs/${made.job}`));
    } catch (refused) {
      set_error(refused);
    }
  }
  const failed = job ? job.results.filter((each) => each.error) : [];
  return html`<${Dialog} title=${t("accounts.refresh-all")} onClose=${onClose}>
    ${!job && html`<${Select} label=${t("accounts.group")} value=${group} onChange=${set_group} choices=${[["", t("state.all")], ...groups.map((each) => [each, each])]} />`}
    ${job && html`<div class="stack" role="status" data-job=${job.finished ? "finished" : "running"}>
      <div class="bar plain"><progress value=${job.done} max=${job.total || 1} aria-label=${t("accounts.progress")}></progress></div>
      <p>${t("accounts.progress-of", { done: number(job.done), total: number(job.total), failed: number(job.failed) })}</p>
      ${failed.length > 0 && html`<ul class="stack tight">${failed.slice(0, 50).map((each) => html`<li class="small"><${Badge} tone="bad">${each.name}<//> ${each.error}</li>`)}</ul>`}</div>`}
    ${error && html`<${Note} tone="bad">${error.message}<//>`}
    <footer>${!job && html`<${Button} kind="main-action" icon="refresh" onClick=${begin}>${t("action.refresh")}<//>`}
      ${job && html`<${Button} onClick=${onClose}>${t("action.close")}<//>`}</footer><//>`;
}

export function Backup({ onClose }) {
  const [passphrase, set] = useState("");
  const [again, repeat] = useState("");
  const [wrong, set_wrong] = useState("");
  async function save() {
    if (passphrase !== again) {
      set_wrong(t("accounts.passphrases-differ"));
      return;
    }
    set_wrong("");
    const sealed = await post("/api/export", { passphrase });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(sealed, null, 2)], { type: "application/json" }));
    link.download = `kiro2api-${new Date().toISOString().slice(0, 10)}.json`;
    link.click();
    URL.revokeObjectURL(link.href);
    tell(t("accounts.exported"));
    onClose();
  }
  return html`<${FormDialog} title=${t("accounts.backup")} save=${save} onClose=${onClose} submit=${t("accounts.download")}>${(refused) => html`
    <p>${t("accounts.backup-hint")}</p>
    <${TextField} type="password" label=${t("accounts.passphrase")} value=${passphrase} onChange=${set} wrong=${refused("passphrase")} required minlength="12" hint=${t("accounts.passphrase-rule")} autocomplete="new-password" />
    <${TextField} type="password" label=${t("accounts.passphrase-again")} value=${again} onChange=${repeat} wrong=${wrong} required autocomplete="new-password" />`}<//>`;
}
