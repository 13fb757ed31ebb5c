// Ways to add accounts: a login with a code, one token, or many at once as JSON.
import { del, get, post } from "../api.js";
import { html, useEffect, useState } from "../lib.js";
import { distance, number, t, word } from "../i18n.js";
import { tell } from "../state.js";
import { CopyButton } from "../parts/copy.js";
import { Dialog, FormDialog } from "../parts/dialog.js";
import { Check, Select, TextArea, TextField } from "../parts/field.js";
import { Badge, Button, Note, Segments } from "../parts/plain.js";

const WAYS = ["login", "token", "many"];
const KINDS = ["builder_id", "idc", "social"];

/** Begin a login, show its code, and watch until it has ended. */
function DeviceLogin({ groups, onAdded, way, replace, kinds = KINDS }) {
  const [draft, set] = useState({ kind: kinds[0], start_url: "", region: "us-east-1", provider: "Google", group: "default", name: "" });
  const [login, follow] = useState(null);
  const [error, set_error] = useState(null);
  const change = (name) => (value) => set((old) => ({ ...old, [name]: value }));
  const pending = login && login.status === "pending";
  useEffect(() => {
    if (!pending) return undefined;
    const timer = setInterval(async () => {
      try {
        const now = await get(`/api/logins/${login.id}`);
        follow(now);
        if (now.status === "done") {
          tell(t(replace ? "accounts.login-renewed" : "accounts.login-done"));
          onAdded();
        }
      } catch (refused) {
        set_error(refused);
      }
    }, 2000);
    return () => clearInterval(timer);
  }, [pending, login?.id]);
  async function begin(event) {
    event.preventDefault();
    set_error(null);
    const body = { kind: draft.kind, ...(replace ? { replace } : { group: draft.group, name: draft.name }) };
    if (draft.kind === "idc") Object.assign(body, { start_url: draft.start_url, region: draft.region });
    if (draft.kind === "social") body.provider = draft.provider;
    try {
      follow(await post("/api/logins", body));
    } catch (refused) {
      set_error(refused);
    }
  }
  async function stop() {
    try {
      await del(`/api/logins/${login.id}`);
    } catch {
      // It has ended by itself, which is what was wanted.
    }
    follow(null);
  }
  const wrong = (name) => (error && error.param === name ? error.message : "");
  if (login) {
    const url = login.verification_uri_complete || login.verification_uri;
    return html`<div class="stack" data-login=${login.status}>
      ${pending && html`<p>${t("accounts.login-open")}</p>
        <p><a href=${url} target="_blank" rel="noreferrer">${url}</a></p>
        <p class="row"><span class="soft">${t("accounts.login-code")}</span><strong class="mono">${login.user_code}</strong><${CopyButton} little text=${login.user_code} /></p>
        <p class="soft small" role="status">${t("accounts.login-waiting", { when: distance(login.expires_at) })}</p>
        <div><${Button} onClick=${stop}>${t("action.cancel")}<//></div>`}
      ${login.status === "done" && html`<${Note} tone="good">${t(replace ? "accounts.login-renewed" : "accounts.login-done")}<//>`}
      ${!pending && login.status !== "done" && html`<${Note} tone="bad">${word("accounts.login", login.status)} ${login.error || ""}<//>
        <div><${Button} onClick=${() => follow(null)}>${t("action.again")}<//></div>`}</div>`;
  }
  return html`<form class="stack" onSubmit=${begin}>${way}
    <${Select} label=${t("accounts.login-kind")} value=${draft.kind} onChange=${change("kind")} choices=${kinds.map((each) => [each, word("accounts.kind", each)])} />
    ${draft.kind === "idc" && html`<${TextField} type="url" label=${t("accounts.start-url")} placeholder="https://example.awsapps.com/start" value=${draft.start_url} onChange=${change("start_url")} wrong=${wrong("start_url")} required />
      <${TextField} label=${t("accounts.region")} value=${draft.region} onChange=${change("region")} wrong=${wrong("region")} />`}
    ${draft.kind === "social" && html`<${Select} label=${t("accounts.provider")} value=${draft.provider} onChange=${change("provider")} choices=${["Google", "Github"].map((each) => [each, each])} />`}
    ${!replace && html`<${TextField} label=${t("accounts.name")} hint=${t("accounts.name-hint")} value=${draft.name} onChange=${change("name")} wrong=${wrong("name")} />
      <${Select} label=${t("accounts.group")} value=${draft.group} onChange=${change("group")} wrong=${wrong("group")} choices=${groups.map((each) => [each, each])} />`}
    ${error && !["start_url", "region", "name", "group"].includes(error.param) && html`<${Note} tone="bad">${error.message}<//>`}
    <footer><button class="button main-action" type="submit">${t("accounts.login-begin")}</button></footer></form>`;
}

const ONE = { auth: "Social", refreshToken: "", clientId: "", clientSecret: "", apiKey: "", region: "", profileArn: "", name: "", group: "default", disabled: false };

function OneToken({ groups, onClose, onAdded, way }) {
  const [draft, set] = useState(ONE);
  const change = (name) => (value) => set((old) => ({ ...old, [name]: value }));
  async function save() {
    const body = Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== "" && value !== false));
    const made = await post("/api/tokens", body);
    tell(t("accounts.added", { name: made.name || draft.name }));
    onAdded();
    onClose();
  }
  return html`<${FormDialog} title=${t("accounts.add")} save=${save} onClose=${onClose} submit=${t("action.add")}>${(wrong) => html`${way}
    <${Select} label=${t("accounts.auth")} value=${draft.auth} onChange=${change("auth")} wrong=${wrong("auth")} choices=${["Social", "IdC", "ApiKey"].map((each) => [each, word("accounts.auth", each)])} />
    ${draft.auth === "ApiKey" ? html`<${TextField} type="password" label=${t("accounts.api-key")} value=${draft.apiKey} onChange=${change("apiKey")} wrong=${wrong("apiKey")} required />`
      : html`<${TextField} type="password" label=${t("accounts.refresh-token")} value=${draft.refreshToken} onChange=${change("refreshToken")} wrong=${wrong("refreshToken")} required />`}
    ${draft.auth === "IdC" && html`<${TextField} label="Client ID" value=${draft.clientId} onChange=${change("clientId")} wrong=${wrong("clientId")} required />
      <${TextField} type="password" label="Client secret" value=${draft.clientSecret} onChange=${change("clientSecret")} wrong=${wrong("clientSecret")} required />
      <${TextField} label=${t("accounts.region")} placeholder="us-east-1" value=${draft.region} onChange=${change("region")} wrong=${wrong("region")} />`}
    ${draft.auth !== "ApiKey" && html`<${TextField} label=${t("accounts.profile")} hint=${t("accounts.profile-hint")} value=${draft.profileArn} onChange=${change("profileArn")} wrong=${wrong("profileArn")} />`}
    <div class="grid two"><${TextField} label=${t("accounts.name")} hint=${t("accounts.name-hint")} value=${draft.name} onChange=${change("name")} wrong=${wrong("name")} />
      <${Select} label=${t("accounts.group")} value=${draft.group} onChange=${change("group")} wrong=${wrong("group")} choices=${groups.map((each) => [each, each])} /></div>
    <${Check} label=${t("accounts.add-disabled")} value=${draft.disabled} onChange=${change("disabled")} />`}<//>`;
}

/** What an import has brought, what it left out, and what is to be known of what it took. */
function Imported({ result }) {
  const left_out = [...result.skipped, ...(result.keys_skipped || []), ...(result.settings_skipped || [])];
  const told = [...left_out, ...(result.warnings || [])];
  const beside = ["groups", "keys", "settings"].filter((name) => result[name]);
  return html`<${Note} tone=${left_out.length ? "warn" : "good"}>
    <p>${t("accounts.imported", { added: number(result.added), duplicates: number(result.duplicates) })}
      ${beside.map((name) => ` ${word("accounts.imported-beside", name)}: ${number(result[name])}.`)}</p>
    ${told.length > 0 && html`<ul class="stack tight small">${told.slice(0, 20).map((each) => html`<li><${Badge} dot=${false}>${each.name ?? each.index + 1}<//> ${each.error ?? each.warning}</li>`)}</ul>`}<//>`;
}

function Many({ groups, onAdded, way }) {
  const [text, set] = useState("");
  const [group, set_group] = useState("");
  const [passphrase, set_passphrase] = useState("");
  const [wrong, set_wrong] = useState("");
  const [result, told] = useState(null);
  const [busy, set_busy] = useState(false);
  async function load(event) {
    const [file] = event.target.files;
    if (file) set(await file.text());
  }
  async function add(event) {
    event.preventDefault();
    set_wrong("");
    told(null);
    let document;
    try {
      document = JSON.parse(text);
    } catch (mistake) {
      set_wrong(t("accounts.not-json", { why: mistake.message }));
      return;
    }
    set_busy(true);
    try {
      told(await post("/api/import", { document, ...(group && { group }), ...(passphrase && { passphrase }) }));
      onAdded();
    } catch (refused) {
      set_wrong(refused.message);
    }
    set_busy(false);
  }
  return html`<form class="stack" onSubmit=${add}>${way}
    <div class="field"><label for="many-file">${t("accounts.file")}</label><input id="many-file" type="file" accept="application/json,.json" onChange=${load} /></div>
    <${TextArea} label=${t("accounts.json")} hint=${t("accounts.json-hint")} value=${text} onChange=${set} wrong=${wrong} rows="9" placeholder='[{"auth": "Social", "refreshToken": "…"}]' />
    <div class="grid two"><${Select} label=${t("accounts.group")} value=${group} onChange=${set_group} choices=${[["", t("accounts.as-given")], ...groups.map((each) => [each, each])]} />
      <${TextField} type="password" label=${t("accounts.passphrase")} hint=${t("accounts.passphrase-hint")} value=${passphrase} onChange=${set_passphrase} /></div>
    ${result && html`<${Imported} result=${result} />`}
    <footer><button class="button main-action" type="submit" disabled=${busy || !text.trim()}>${t("action.add")}</button></footer></form>`;
}

/** A login in the place of one that is refused: the account keeps its name, group and counts. */
export function LogInAgain({ row, onClose, onAdded }) {
  return html`<${Dialog} title=${t("accounts.log-in-again-to", { name: row.name })} onClose=${onClose}>
    <${DeviceLogin} groups=${[row.group]} replace=${row.id} kinds=${row.auth_type === "social" ? ["social"] : ["builder_id", "idc"]} onAdded=${onAdded} /><//>`;
}

export function AddAccount({ groups, onClose, onAdded }) {
  const [way, set] = useState("login");
  const choice = html`<${Segments} label=${t("accounts.way")} value=${way} onChange=${set} choices=${WAYS.map((each) => [each, word("accounts.way", each)])} />`;
  if (way === "token") return html`<${OneToken} groups=${groups} onClose=${onClose} onAdded=${onAdded} way=${choice} />`;
  const Way = way === "login" ? DeviceLogin : Many;
  return html`<${Dialog} title=${t("accounts.add")} onClose=${onClose}><${Way} groups=${groups} onAdded=${onAdded} way=${choice} /><//>`;
}
