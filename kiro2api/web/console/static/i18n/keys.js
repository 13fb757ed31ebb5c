// Words of the view "keys".
export const en = {
  "keys.hint": "Who may ask, for which groups and models, and how much.", "keys.add": "New key", "keys.new": "New key", "keys.edit": "Edit key {name}",
  "keys.name": "Name", "keys.role": "Role", "keys.role.client": "Client", "keys.role.admin": "Admin",
  "keys.role-hint.client": "May ask models and see its own usage.", "keys.role-hint.admin": "May do everything, this console included.",
  "keys.state": "State", "keys.state.active": "Active", "keys.state.disabled": "Disabled", "keys.state.expired": "Expired",
  "keys.groups": "Groups", "keys.groups-hint": "None chosen: all groups.", "keys.models": "Models", "keys.models-hint": "Names, or patterns with *, separated by commas. Empty: all models.",
  "keys.limit.requests_per_minute": "Requests per minute", "keys.limit.max_in_flight": "Requests at once", "keys.limit.credits_per_day": "Credits per day", "keys.limit.credits_per_month": "Credits per month",
  "keys.zero": "0 for no limit", "keys.expires": "Expires", "keys.expires-hint": "Empty: never.", "keys.spent": "Credits spent", "keys.today": "Today {spent}", "keys.month": "Month {spent}", "keys.left": "Share of the budget that is left",
  "keys.last-used": "Last used", "keys.configured": "From the configuration", "keys.disable": "Disable key {name}", "keys.enable": "Enable key {name}",
  "keys.delete": "Delete key {name}", "keys.delete-hint": "Whoever uses this key is refused from now on.", "keys.deleted": "Key {name} was deleted.", "keys.saved": "Key {name} was saved.",
  "keys.made": "Key {name}", "keys.once": "Copy the key now. It is shown only this once and stored nowhere.", "keys.empty": "There are no keys yet.",
};
export const zh = {
  "keys.hint": "谁可以请求、可用哪些分组和模型、用量多少。", "keys.add": "新建密钥", "keys.new": "新建密钥", "keys.edit": "编辑密钥 {name}",
  "keys.name": "名称", "keys.role": "角色", "keys.role.client": "客户端", "keys.role.admin": "管理员",
  "keys.role-hint.client": "可以请求模型并查看自己的用量。", "keys.role-hint.admin": "拥有全部权限，包括本控制台。",
  "keys.state": "状态", "keys.state.active": "有效", "keys.state.disabled": "已停用", "keys.state.expired": "已过期",
  "keys.groups": "分组", "keys.groups-hint": "未选择表示全部分组。", "keys.models": "模型", "keys.models-hint": "名称或带 * 的模式，用逗号分隔。留空表示全部模型。",
  "keys.limit.requests_per_minute": "每分钟请求数", "keys.limit.max_in_flight": "并发请求数", "keys.limit.credits_per_day": "每日额度", "keys.limit.credits_per_month": "每月额度",
  "keys.zero": "0 表示不限", "keys.expires": "过期时间", "keys.expires-hint": "留空表示永不过期。", "keys.spent": "已用额度", "keys.today": "今日 {spent}", "keys.month": "本月 {spent}", "keys.left": "剩余预算比例",
  "keys.last-used": "最近使用", "keys.configured": "来自配置", "keys.disable": "停用密钥 {name}", "keys.enable": "启用密钥 {name}",
  "keys.delete": "删除密钥 {name}", "keys.delete-hint": "使用此密钥的客户端将立即被拒绝。", "keys.deleted": "已删除密钥 {name}。", "keys.saved": "已保存密钥 {name}。",
  "keys.made": "密钥 {name}", "keys.once": "请立即复制密钥。它只显示这一次，不会保存。", "keys.empty": "还没有密钥。",
};
