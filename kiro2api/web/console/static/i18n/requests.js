// Words of the view "requests".
export const en = {
  "requests.hint": "Every request with its outcome, timing and cost. Texts are not stored.", "requests.csv": "Export CSV", "requests.filters": "Filters",
  "requests.search-hint": "Model, account, key, error or request id", "requests.from": "From", "requests.to": "Until", "requests.model": "Model", "requests.account": "Account", "requests.key": "Key",
  "requests.group": "Group", "requests.status": "Status", "requests.outcome": "Outcome", "requests.dialect": "API", "requests.apply": "Filter", "requests.clear": "Clear",
  "requests.outcome.served": "served", "requests.outcome.failed": "failed", "requests.outcome.refused": "refused", "requests.outcome.abandoned": "abandoned",
  "requests.at": "Time", "requests.first": "First token", "requests.total": "Total time", "requests.account-key": "Account, key", "requests.times": "First / total", "requests.tokens": "Tokens in / out", "requests.latest": "Latest requests", "requests.all-of": "All of them", "requests.credits": "Credits",
  "requests.news": "Show {count} new", "requests.empty": "No request matches", "requests.one": "Request", "requests.back": "All requests",
  "requests.what": "What was asked", "requests.cost": "Time and cost", "requests.upstream-model": "Upstream model", "requests.stream": "Streamed", "requests.upstream-id": "Upstream request id",
  "requests.queue": "Waited for an account", "requests.input": "Input tokens", "requests.output": "Output tokens", "requests.cache-read": "Read from cache", "requests.cache-write": "Written to cache",
  "requests.provenance": "Counted by", "requests.provenance.exact": "the upstream", "requests.provenance.derived": "derived from the context used", "requests.provenance.estimated": "an estimate",
  "requests.searches": "Web searches", "requests.attempts": "Attempts", "requests.no-attempts": "No account was asked", "requests.repairs": "Repairs", "requests.no-repairs": "Nothing had to be repaired.",
};
export const zh = {
  "requests.hint": "每个请求的结果、用时和消耗。不保存正文。", "requests.csv": "导出 CSV", "requests.filters": "筛选",
  "requests.search-hint": "模型、账号、密钥、错误或请求 ID", "requests.from": "从", "requests.to": "到", "requests.model": "模型", "requests.account": "账号", "requests.key": "密钥",
  "requests.group": "分组", "requests.status": "状态码", "requests.outcome": "结果", "requests.dialect": "API", "requests.apply": "筛选", "requests.clear": "清除",
  "requests.outcome.served": "成功", "requests.outcome.failed": "失败", "requests.outcome.refused": "被拒绝", "requests.outcome.abandoned": "放弃",
  "requests.at": "时间", "requests.first": "首个 token", "requests.total": "总用时", "requests.account-key": "账号、密钥", "requests.times": "首个 / 总用时", "requests.tokens": "输入 / 输出 token", "requests.latest": "最近的请求", "requests.all-of": "查看全部", "requests.credits": "额度",
  "requests.news": "显示 {count} 条新请求", "requests.empty": "没有符合条件的请求", "requests.one": "请求", "requests.back": "全部请求",
  "requests.what": "请求内容", "requests.cost": "用时与消耗", "requests.upstream-model": "上游模型", "requests.stream": "流式", "requests.upstream-id": "上游请求 ID",
  "requests.queue": "等待账号", "requests.input": "输入 token", "requests.output": "输出 token", "requests.cache-read": "读取缓存", "requests.cache-write": "写入缓存",
  "requests.provenance": "计数来源", "requests.provenance.exact": "上游", "requests.provenance.derived": "由上下文用量推算", "requests.provenance.estimated": "估算",
  "requests.searches": "网页搜索", "requests.attempts": "尝试", "requests.no-attempts": "未请求任何账号", "requests.repairs": "修正", "requests.no-repairs": "无需修正。",
};
