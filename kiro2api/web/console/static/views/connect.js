// Ready-made settings for the tools people use, with this service's address and a group.
import { ALL_GROUPS, get } from "../api.js";
import { html, useEffect, useState } from "../lib.js";
import { t } from "../i18n.js";
import { session, useShared } from "../state.js";
import { CopyButton } from "../parts/copy.js";
import { Select, TextField } from "../parts/field.js";
import { Card, Note, PageHead, Segments } from "../parts/plain.js";

/** Each tool: its name and the lines to paste, given address, key and model. */
const TOOLS = [
  ["claude-code", "Claude Code", ({ base, key, model }) => [["~/.bashrc", `export ANTHROPIC_BASE_URL=${base}\nexport ANTHROPIC_AUTH_TOKEN=${key}\nexport ANTHROPIC_MODEL=${model}\nclaude`]]],
  ["codex", "Codex", ({ base, key, model }) => [
    ["~/.codex/config.toml", `model = "${model}"\nmodel_provider = "kiro2api"\n\n[model_providers.kiro2api]\nname = "kiro2api"\nbase_url = "${base}/v1"\nenv_key = "KIRO2API_KEY"\nwire_api = "responses"`],
    ["~/.bashrc", `export KIRO2API_KEY=${key}`]]],
  ["opencode", "opencode", ({ base, key, model }) => [["opencode.json", JSON.stringify({ $schema: "https://opencode.ai/config.json", provider: { kiro2api: { npm: "@ai-sdk/anthropic", options: { baseURL: `${base}/v1`, apiKey: key }, models: { [model]: {} } } } }, null, 2)]]],
  ["cursor", "Cursor", ({ base, key, model }) => [[t("connect.cursor"), `OpenAI API Key:            ${key}\nOverride OpenAI Base URL:  ${base}/v1\nModel:                     ${model}`]]],
  ["cline", "Cline", ({ base, key, model }) => [[t("connect.cline"), `API Provider:     Anthropic\nCustom base URL:  ${base}\nAPI Key:          ${key}\nModel:            ${model}`]]],
  ["aider", "aider", ({ base, key, model }) => [["~/.bashrc", `export ANTHROPIC_API_BASE=${base}\nexport ANTHROPIC_API_KEY=${key}\naider --model anthropic/${model}`]]],
  ["python", "Python", ({ base, key, model }) => [
    ["anthropic", `from anthropic import Anthropic\n\nclient = Anthropic(base_url="${base}", api_key="${key}")\nanswer = client.messages.create(\n    model="${model}", max_tokens=500,\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.content[0].text)`],
    ["openai", `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}/v1", api_key="${key}")\nanswer = client.chat.completions.create(\n    model="${model}",\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.choices[0].message.content)`]]],
  ["curl", "curl", ({ base, key, model }) => [["shell", `curl ${base}/v1/messages \\\n  -H "x-api-key: ${key}" \\\n  -H "anthropic-version: 2023-06-01" \\\n  -H "content-type: application/json" \\\n  -d '{"model": "${model}", "max_tokens": 200, "messages": [{"role": "user", "content": "Hello"}]}'`]]],
];

export default function Connect() {
  const who = useShared(session);
  const [tool, set_tool] = useState("claude-code");
  const [groups, set_groups] = useState([]);
  const [group, set_group] = useState("");
  const [model, set_model] = useState("claude-sonnet-4-5");
  const [models, set_models] = useState([]);
  const [origin, set_origin] = useState(window.location.origin);
  const admin = who.role === "admin";
  useEffect(() => {
    if (admin) get(ALL_GROUPS).then((found) => set_groups(found.items)).catch(() => {});
    get("/api/models").then((found) => set_models(found.data.map((each) => each.id))).catch(() => {});
  }, [admin]);
  const base = origin.replace(/\/+$/, "") + (group ? `/${group}` : "");
  const [, name, lines] = TOOLS.find(([id]) => id === tool);
  return html`<div class="page"><${PageHead} title=${t("nav.connect")} hint=${t("connect.hint")} />
    <${Card}><div class="filters">
      <${TextField} wide label=${t("connect.address")} value=${origin} onChange=${set_origin} />
      ${admin && html`<${Select} label=${t("connect.group")} value=${group} onChange=${set_group}
        choices=${[["", t("connect.default-group")], ...groups.filter((each) => each.name !== "default").map((each) => [each.name, each.display_name || each.name])]} />`}
      <${TextField} label=${t("connect.model")} value=${model} onChange=${set_model} list="known-models" />
      <datalist id="known-models">${models.map((each) => html`<option value=${each}></option>`)}</datalist>
    </div><//>
    <div class="scroll"><${Segments} label=${t("connect.tool")} value=${tool} onChange=${set_tool} choices=${TOOLS.map(([id, text]) => [id, text])} /></div>
    <${Card} title=${name}><div class="stack">
      ${lines({ base, key: t("connect.your-key"), model }).map(([where, text]) => html`<div class="stack tight">
        <div class="row"><span class="soft small">${where}</span><span class="push"><${CopyButton} little text=${text}>${t("action.copy")}<//></span></div>
        <pre tabindex="0" data-snippet>${text}</pre></div>`)}
      ${admin && html`<${Note}>${t("connect.key-note")} <a href="#/keys">${t("nav.keys")}</a><//>`}
    </div><//></div>`;
}
