// Groups of accounts: how each is used, and how many accounts it has.
import { ALL_GROUPS, del, post, put, useData } from "../api.js";
import { html, useState } from "../lib.js";
import { number, t, word } from "../i18n.js";
import { address, tell } from "../state.js";
import { Confirm, FormDialog } from "../parts/dialog.js";
import { Check, Select, TextField } from "../parts/field.js";
import { Badge, Bar, Button, Card, Facts, Loading, PageHead, Problem } from "../parts/plain.js";

const POLICIES = ["sequential", "round_robin", "least_used"];
const NEW = { name: "", display_name: "", policy: "sequential", affinity: true, max_in_flight: 0, requests_per_minute: 0, cooldown_seconds: 0 };

function GroupForm({ group, onClose, onSaved }) {
  const fresh = !group.name;
  const [draft, set] = useState({ ...NEW, ...group });
  const change = (name) => (value) => set((old) => ({ ...old, [name]: value }));
  async function save() {
    const body = { display_name: draft.display_name, policy: draft.policy, affinity: draft.affinity };
    for (const name of ["max_in_flight", "requests_per_minute", "cooldown_seconds"]) body[name] = Number(draft[name] || 0);
    if (fresh) await post("/api/groups", { name: draft.name, ...body });
    else await put(`/api/groups/${encodeURIComponent(group.name)}`, body);
    tell(t(fresh ? "groups.created" : "groups.saved", { name: draft.name }));
    onSaved();
  }
  return html`<${FormDialog} title=${t(fresh ? "groups.new" : "groups.edit", { name: group.name })} save=${save} onClose=${onClose}>
    ${(wrong) => html`
      ${fresh && html`<${TextField} label=${t("groups.name")} hint=${t("groups.name-hint")} value=${draft.name} onChange=${change("name")} wrong=${wrong("name")} required />`}
      <${TextField} label=${t("groups.display-name")} value=${draft.display_name} onChange=${change("display_name")} wrong=${wrong("display_name")} />
      <${Select} label=${t("groups.policy")} hint=${word("groups.policy-hint", draft.policy)} value=${draft.policy} onChange=${change("policy")} wrong=${wrong("policy")}
        choices=${POLICIES.map((each) => [each, word("groups.policy", each)])} />
      <${Check} label=${t("groups.affinity")} value=${draft.affinity} onChange=${change("affinity")} />
      <div class="grid two">
        <${TextField} type="number" min="0" label=${t("groups.max-in-flight")} hint=${t("groups.zero")} value=${draft.max_in_flight} onChange=${change("max_in_flight")} wrong=${wrong("max_in_flight")} />
        <${TextField} type="number" min="0" label=${t("groups.rpm")} hint=${t("groups.zero")} value=${draft.requests_per_minute} onChange=${change("requests_per_minute")} wrong=${wrong("requests_per_minute")} />
        <${TextField} type="number" min="0" step="any" label=${t("groups.cooldown")} hint=${t("groups.zero-cooldown")} value=${draft.cooldown_seconds} onChange=${change("cooldown_seconds")} wrong=${wrong("cooldown_seconds")} />
      </div>`}
  <//>`;
}

function Rename({ group, onClose, onSaved }) {
  const [name, set] = useState(group.name);
  async function save() {
    await post(`/api/groups/${encodeURIComponent(group.name)}/rename`, { new_name: name });
    tell(t("groups.saved", { name }));
    onSaved();
  }
  return html`<${FormDialog} title=${t("groups.rename", { name: group.name })} save=${save} onClose=${onClose}>
    ${(wrong) => html`<${TextField} label=${t("groups.name")} hint=${t("groups.rename-hint")} value=${name} onChange=${set} wrong=${wrong("new_name") || wrong("name")} required />`}<//>`;
}

function GroupCard({ group, open }) {
  const fixed = group.name === "default";
  const limit = (value) => (value ? number(value) : t("state.unlimited"));
  return html`<${Card} title=${group.display_name || group.name} data-group=${group.name}
    actions=${fixed && html`<${Badge} dot=${false}>${t("groups.default")}<//>`}>
    <div class="stack">
      <div class="stack tight"><div class="row"><a href=${address("accounts", "", { group: group.name })}>${t("groups.count", { active: number(group.active_count), total: number(group.token_count) })}</a>
        ${group.credits_left != null && html`<span class="push small soft number">${t("groups.credits", { count: number(group.credits_left) })}</span>`}</div>
        <${Bar} share=${group.token_count ? group.active_count / group.token_count : 0} label=${t("groups.ready-share")} /></div>
      <${Facts} rows=${[
        [t("groups.path"), html`<code>${fixed ? "/v1" : `/${group.name}/v1`}</code>`],
        [t("groups.policy"), word("groups.policy", group.policy)],
        [t("groups.affinity-short"), group.affinity ? t("state.yes") : t("state.no")],
        [t("groups.max-in-flight"), limit(group.max_in_flight)],
        [t("groups.rpm"), limit(group.requests_per_minute)],
        [t("groups.cooldown"), group.cooldown_seconds ? `${number(group.cooldown_seconds, 1)} s` : t("groups.of-service")],
      ]} />
      <div class="row tight"><${Button} little icon="edit" onClick=${() => open("edit", group)}>${t("action.edit")}<//>
        ${!fixed && html`<${Button} little onClick=${() => open("rename", group)}>${t("groups.rename-short")}<//>
          <${Button} little kind="danger" icon="trash" onClick=${() => open("delete", group)}>${t("action.delete")}<//>`}</div>
    </div><//>`;
}

export default function Groups() {
  const { data, error, again } = useData(ALL_GROUPS);
  const [dialog, set_dialog] = useState(null);
  const open = (kind, group) => set_dialog({ kind, group });
  const close = () => set_dialog(null);
  const saved = () => { close(); again(); };
  async function remove() {
    await del(`/api/groups/${encodeURIComponent(dialog.group.name)}`);
    tell(t("groups.deleted", { name: dialog.group.name }));
    saved();
  }
  const groups = data && data.items;
  return html`<div class="page">
    <${PageHead} title=${t("nav.groups")} hint=${t("groups.hint")}><${Button} kind="main-action" icon="plus" onClick=${() => open("edit", {})}>${t("groups.add")}<//><//>
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${!groups && !error && html`<${Loading} />`}
    ${groups && html`<div class="grid cards">${groups.map((group) => html`<${GroupCard} key=${group.name} group=${group} open=${open} />`)}</div>`}
    ${dialog?.kind === "edit" && html`<${GroupForm} group=${dialog.group} onClose=${close} onSaved=${saved} />`}
    ${dialog?.kind === "rename" && html`<${Rename} group=${dialog.group} onClose=${close} onSaved=${saved} />`}
    ${dialog?.kind === "delete" && html`<${Confirm} title=${t("groups.delete", { name: dialog.group.name })} submit=${t("action.delete")} save=${remove} onClose=${close}>
      ${t("groups.delete-hint", { count: number(dialog.group.token_count) })}<//>`}
  </div>`;
}
