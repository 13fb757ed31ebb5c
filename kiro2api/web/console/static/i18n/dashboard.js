// Words of the view "dashboard", and of the states of accounts.
export const en = {
  "dashboard.pool": "Accounts", "dashboard.all-accounts": "All accounts", "dashboard.ready": "ready to serve", "dashboard.in-flight": "requests in flight", "dashboard.load": "load: accounts at work",
  "dashboard.burn": "Credits", "dashboard.credits-left": "left in the pool", "dashboard.per-hour": "spent per hour", "dashboard.runs-out": "At this rate they run out {when} ({at}).",
  "dashboard.lasts": "At this rate they last beyond their reset.", "dashboard.resets": "The next reset is {when}.",
  "dashboard.unknown": "Accounts whose credits are not known: {count}.", "dashboard.all-groups": "All groups",
  "dashboard.partial": "Not every process has answered; requests may be missing here.", "dashboard.live": "Running now", "dashboard.connected": "live", "dashboard.disconnected": "no connection", "dashboard.nothing-runs": "Nobody is being served at the moment",
  "dashboard.age": "Age", "dashboard.tokens": "Tokens", "dashboard.cancel": "Cancel request {id}", "dashboard.cancelled": "The request was cancelled.",
  "dashboard.state.waiting": "waiting for an account", "dashboard.state.asking": "asking", "dashboard.state.answering": "answering",
  "dashboard.by-model": "By model", "dashboard.by-account": "By account", "dashboard.by-key": "By key", "dashboard.by-status": "By status",
  "state-of.ready": "Ready", "state-of.busy": "Busy", "state-of.probing": "Being tried", "state-of.cooling": "Resting", "state-of.exhausted": "Out of credits",
  "state-of.rejected": "Needs a login", "state-of.suspended": "Suspended", "state-of.disabled": "Disabled",
};
export const zh = {
  "dashboard.pool": "账号", "dashboard.all-accounts": "全部账号", "dashboard.ready": "可用", "dashboard.in-flight": "进行中的请求", "dashboard.load": "负载：工作中的账号",
  "dashboard.burn": "额度", "dashboard.credits-left": "账号池剩余", "dashboard.per-hour": "每小时消耗", "dashboard.runs-out": "按此速度将于 {when}（{at}）用尽。",
  "dashboard.lasts": "按此速度可用到重置之后。", "dashboard.resets": "下次重置：{when}。",
  "dashboard.unknown": "{count} 个账号的额度未知。", "dashboard.all-groups": "全部分组",
  "dashboard.partial": "并非所有进程都已应答，此处可能缺少部分请求。", "dashboard.live": "正在运行", "dashboard.connected": "实时", "dashboard.disconnected": "未连接", "dashboard.nothing-runs": "当前没有请求",
  "dashboard.age": "时长", "dashboard.tokens": "Token", "dashboard.cancel": "取消请求 {id}", "dashboard.cancelled": "请求已取消。",
  "dashboard.state.waiting": "等待账号", "dashboard.state.asking": "请求中", "dashboard.state.answering": "回答中",
  "dashboard.by-model": "按模型", "dashboard.by-account": "按账号", "dashboard.by-key": "按密钥", "dashboard.by-status": "按状态码",
  "state-of.ready": "可用", "state-of.busy": "繁忙", "state-of.probing": "试探中", "state-of.cooling": "休息中", "state-of.exhausted": "额度用尽",
  "state-of.rejected": "需要登录", "state-of.suspended": "已封停", "state-of.disabled": "已停用",
};
