// Words of the view "audit".
export const en = {
  "audit.hint": "Every change an operator made: by whom, when, and what.", "audit.at": "When", "audit.actor": "Who",
  "audit.action": "Did what", "audit.subject": "To what", "audit.detail": "Details", "audit.empty": "Nothing has been changed yet.",
  "audit.did.account.add": "Added an account", "audit.did.account.add_all": "Imported accounts", "audit.did.account.restore": "Restored accounts",
  "audit.did.account.change": "Changed an account", "audit.did.account.remove": "Deleted an account", "audit.did.account.unpark": "Asked an account again",
  "audit.did.account.login": "Logged an account in", "audit.did.login.begin": "Began a login", "audit.did.backup.export": "Exported everything",
  "audit.did.group.create": "Created a group", "audit.did.group.change": "Changed a group", "audit.did.group.rename": "Renamed a group", "audit.did.group.remove": "Deleted a group",
  "audit.did.key.create": "Created a key", "audit.did.key.change": "Changed a key", "audit.did.key.delete": "Deleted a key", "audit.did.key.restore": "Restored keys",
  "audit.did.setting.change": "Changed a setting", "audit.did.capture.start": "Began to keep failed requests", "audit.did.capture.stop": "Ended keeping failed requests", "audit.did.capture.clear": "Deleted captures",
};
export const zh = {
  "audit.hint": "管理员所做的每一次更改：何人、何时、何事。", "audit.at": "时间", "audit.actor": "操作者",
  "audit.action": "操作", "audit.subject": "对象", "audit.detail": "详情", "audit.empty": "尚无更改。",
  "audit.did.account.add": "添加账号", "audit.did.account.add_all": "导入账号", "audit.did.account.restore": "恢复账号",
  "audit.did.account.change": "更改账号", "audit.did.account.remove": "删除账号", "audit.did.account.unpark": "重新使用账号",
  "audit.did.account.login": "登录账号", "audit.did.login.begin": "开始登录", "audit.did.backup.export": "导出全部",
  "audit.did.group.create": "创建分组", "audit.did.group.change": "更改分组", "audit.did.group.rename": "重命名分组", "audit.did.group.remove": "删除分组",
  "audit.did.key.create": "创建密钥", "audit.did.key.change": "更改密钥", "audit.did.key.delete": "删除密钥", "audit.did.key.restore": "恢复密钥",
  "audit.did.setting.change": "更改设置", "audit.did.capture.start": "开始保留失败请求", "audit.did.capture.stop": "结束保留失败请求", "audit.did.capture.clear": "删除捕获",
};
