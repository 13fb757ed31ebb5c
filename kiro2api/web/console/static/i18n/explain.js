// Words of the view "explain".
export const en = {
  "explain.hint": "Paste a request of a client and see what would be sent for it, and why. Nothing is sent.",
  "explain.dialect": "API", "explain.body": "Request body (JSON)", "explain.group": "Group", "explain.default-group": "Default group",
  "explain.show": "Explain", "explain.example": "Insert an example", "explain.payload": "What would be sent",
  "explain.repairs": "What was repaired", "explain.no-repairs": "Nothing had to be repaired.",
  "explain.not-reached": "The request was refused before anything could be repaired.",
  "explain.facts": "Decisions", "explain.headers": "Headers", "explain.wrong-json": "This is not JSON: {why}",
  "explain.model": "Model", "explain.known": "Known model", "explain.window": "Context window", "explain.tokens": "Estimated input tokens",
  "explain.size": "Size of {part}", "explain.octets": "{count} bytes", "explain.accounts": "Accounts that may serve it",
  "explain.upstream-model": "Upstream model", "explain.offered": "Offered", "explain.how": "How it is asked", "explain.unknown": "Not known yet",
  "explain.fields": "native fields", "explain.tags": "thinking tags", "explain.replay": "replays thinking", "explain.cache": "cache points", "explain.plainly": "plainly",
};
export const zh = {
  "explain.hint": "粘贴客户端请求，查看将要发送的内容及原因。不会实际发送。",
  "explain.dialect": "API", "explain.body": "请求正文（JSON）", "explain.group": "分组", "explain.default-group": "默认分组",
  "explain.show": "解析", "explain.example": "填入示例", "explain.payload": "将要发送的内容",
  "explain.repairs": "所做的修正", "explain.no-repairs": "无需修正。",
  "explain.not-reached": "请求在修正之前已被拒绝。",
  "explain.facts": "决策", "explain.headers": "请求头", "explain.wrong-json": "不是有效的 JSON：{why}",
  "explain.model": "模型", "explain.known": "已知模型", "explain.window": "上下文窗口", "explain.tokens": "估算输入 token 数",
  "explain.size": "{part} 大小", "explain.octets": "{count} 字节", "explain.accounts": "可用账号",
  "explain.upstream-model": "上游模型", "explain.offered": "是否提供", "explain.how": "请求方式", "explain.unknown": "尚不清楚",
  "explain.fields": "原生字段", "explain.tags": "思考标签", "explain.replay": "回传思考内容", "explain.cache": "缓存点", "explain.plainly": "普通方式",
};
