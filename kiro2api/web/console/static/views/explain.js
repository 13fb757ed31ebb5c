// Paste a client's request and see what would be sent for it.
import { ALL_GROUPS, get, post } from "../api.js";
import { html, useEffect, useState } from "../lib.js";
import { number, t } from "../i18n.js";
import { CopyButton } from "../parts/copy.js";
import { Select, TextArea } from "../parts/field.js";
import { Badge, Card, Facts, Note, PageHead, Problem } from "../parts/plain.js";

const DIALECTS = [["anthropic", "Anthropic Messages"], ["chat", "OpenAI Chat Completions"], ["responses", "OpenAI Responses"]];

const EXAMPLES = {
  anthropic: { model: "claude-sonnet-4-5", max_tokens: 1000, system: "Answer briefly.", messages: [{ role: "user", content: "What is the weather in Paris?" }], tools: [{ name: "weather", description: "The weather of a city.", input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } }] },
  chat: { model: "claude-sonnet-4-5", messages: [{ role: "system", content: "Answer briefly." }, { role: "user", content: "Name three rivers of Europe." }] },
  responses: { model: "claude-sonnet-4-5", instructions: "Answer briefly.", input: "Name three rivers of Europe." },
};

/** The numbers and names that belong to a repair. */
function details({ what, ...rest }) {
  return Object.entries(rest).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(" · ");
}

const pretty = (value) => JSON.stringify(value, null, 2);

function Told({ told }) {
  const { error, model, tokens, sizes, repairs, payload } = told;
  return html`<div class="stack">
    ${error && html`<${Note} tone="bad"><strong>${error.status}</strong> ${error.message}
      ${error.rule && html` <code>${error.rule}</code>`} ${error.path && html` <code>${error.path}</code>`}<//>`}
    <div class="grid two">
      <${Card} title=${t("explain.facts")}>
        <${Facts} rows=${[
          [t("explain.model"), model && html`${model.asked} → <strong>${model.name}</strong>`],
          [t("explain.known"), model && (model.known ? t("state.yes") : t("state.no"))],
          [t("explain.window"), tokens && number(tokens.window)],
          [t("explain.tokens"), tokens && number(tokens.estimate)],
          ...Object.entries(sizes || {}).map(([name, octets]) => [t("explain.size", { part: name }), t("explain.octets", { count: number(octets) })]),
        ]} />
        ${told.notes && told.notes.length > 0 && html`<ul class="stack tight small soft notes">${told.notes.map((note) => html`<li>${note}</li>`)}</ul>`}
      <//>
      <${Card} title=${t("explain.repairs")}>
        ${repairs && repairs.length
          ? html`<ul class="stack">${repairs.map((repair) => html`<li class="stack tight">
              <span><${Badge} tone="info" dot=${false}>${repair.what}<//></span>
              ${Object.keys(repair).length > 1 && html`<code class="break small">${details(repair)}</code>`}</li>`)}</ul>`
          : html`<p class="soft">${t(error ? "explain.not-reached" : "explain.no-repairs")}</p>`}
      <//>
    </div>
    ${told.accounts && told.accounts.length > 0 && html`<${Card} title=${t("explain.accounts")} flush>
      <div class="scroll" tabindex="0" role="region" aria-label=${t("explain.accounts")}><table class="list"><thead><tr>
        <th scope="col">${t("nav.accounts")}</th><th scope="col">${t("explain.upstream-model")}</th><th scope="col">${t("explain.offered")}</th><th scope="col">${t("explain.how")}</th></tr></thead>
        <tbody>${told.accounts.map((each) => html`<tr><td>${each.name}</td><td><code>${each.upstream_model}</code></td>
          <td>${each.offered == null ? t("explain.unknown") : each.offered ? t("state.yes") : t("state.no")}</td>
          <td><span class="row tight">${each.additional_fields && html`<${Badge} dot=${false}>${t("explain.fields")}<//>`}
            ${each.thinking_tags && html`<${Badge} dot=${false}>${t("explain.tags")}<//>`}
            ${each.replays_thinking && html`<${Badge} dot=${false}>${t("explain.replay")}<//>`}
            ${each.cache_points > 0 && html`<${Badge} dot=${false}>${t("explain.cache")}<//>`}
            ${!(each.additional_fields || each.thinking_tags || each.replays_thinking || each.cache_points > 0) && html`<span class="soft">${t("explain.plainly")}</span>`}</span></td></tr>`)}</tbody></table></div><//>`}
    ${payload && html`<${Card} title=${t("explain.payload")} actions=${html`<${CopyButton} little text=${pretty(payload)}>${t("action.copy")}<//>`}>
      <pre tabindex="0" data-payload>${pretty(payload)}</pre><//>`}
    ${told.headers && html`<${Card} title=${t("explain.headers")}><p class="mono break">${told.headers.join(", ")}</p><//>`}
  </div>`;
}

export default function Explain() {
  const [dialect, set_dialect] = useState("anthropic");
  const [group, set_group] = useState("");
  const [groups, set_groups] = useState([]);
  const [text, set_text] = useState("");
  const [wrong, set_wrong] = useState("");
  const [told, set_told] = useState(null);
  const [error, set_error] = useState(null);
  const [busy, set_busy] = useState(false);
  useEffect(() => { get(ALL_GROUPS).then((found) => set_groups(found.items)).catch(set_error); }, []);
  async function explain(event) {
    event.preventDefault();
    let body;
    try {
      body = JSON.parse(text);
    } catch (mistake) {
      set_wrong(t("explain.wrong-json", { why: mistake.message }));
      return;
    }
    set_wrong("");
    set_error(null);
    set_busy(true);
    try {
      set_told(await post("/api/explain", { dialect, group, body }));
    } catch (refused) {
      set_told(null);
      set_error(refused);
    }
    set_busy(false);
  }
  return html`<div class="page"><${PageHead} title=${t("nav.explain")} hint=${t("explain.hint")} />
    <${Card}><form class="stack" onSubmit=${explain}>
      <div class="filters">
        <${Select} label=${t("explain.dialect")} value=${dialect} onChange=${set_dialect} choices=${DIALECTS} />
        <${Select} label=${t("explain.group")} value=${group} onChange=${set_group}
          choices=${[["", t("explain.default-group")], ...groups.filter((each) => each.name !== "default").map((each) => [each.name, each.display_name || each.name])]} />
      </div>
      <${TextArea} label=${t("explain.body")} value=${text} onChange=${set_text} wrong=${wrong} rows="12" />
      <div class="row"><button class="button main-action" type="submit" disabled=${busy || !text.trim()}>${t("explain.show")}</button>
        <button class="button" type="button" onClick=${() => set_text(pretty(EXAMPLES[dialect]))}>${t("explain.example")}</button></div>
    </form><//>
    ${error && html`<${Problem} error=${error} />`}
    ${told && html`<${Told} told=${told} />`}</div>`;
}
