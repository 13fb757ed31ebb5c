// Words of the view "audit".
export const en = {
  "audit.hint": "Every change an operator made: by whom, when, and what.", "audit.at": "When", "audit.actor": "Who",
  "audit.action": "Did what", "audit.subject": "To what", "audit.detail": "Details", "audit.empty": "Nothing has been changed yet.",
};
export const zh = {
  "audit.hint": "管理员所做的每一次更改:何人、何时、何事。", "audit.at": "时间", "audit.actor": "操作者",
  "audit.action": "操作", "audit.subject": "对象", "audit.detail": "详情", "audit.empty": "尚无更改。",
};
