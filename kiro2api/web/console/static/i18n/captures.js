// Words of the card of kept requests on the view "requests".
export const en = {
  "captures.title": "Failed requests, kept", "captures.on": "on, ends {when}", "captures.off": "off",
  "captures.hint": "For an hour at most, failed requests are kept to be looked into: without keys, addresses and attachments, and with long texts cut.",
  "captures.minutes": "For how long", "captures.so-many": "{count} min", "captures.switch-on": "Keep failed requests", "captures.switch-off": "End it",
  "captures.switched-on": "Failed requests are kept from now on.", "captures.switched-off": "No more requests are kept.", "captures.look": "Look for new ones",
  "captures.clear": "Delete kept requests", "captures.clear-hint": "All kept requests are deleted, and no more are kept.", "captures.cleared": "The kept requests were deleted.",
  "captures.at": "Time", "captures.request": "Request", "captures.size": "Size", "captures.octets": "{count} bytes", "captures.get": "File", "captures.download": "Download",
};
export const zh = {
  "captures.title": "保留的失败请求", "captures.on": "已开启，{when}结束", "captures.off": "已关闭",
  "captures.hint": "最多一小时内保留失败的请求以便排查：不含密钥、地址和附件，长文本会被截断。",
  "captures.minutes": "时长", "captures.so-many": "{count} 分钟", "captures.switch-on": "保留失败请求", "captures.switch-off": "结束",
  "captures.switched-on": "从现在起保留失败的请求。", "captures.switched-off": "不再保留请求。", "captures.look": "查看新的",
  "captures.clear": "删除保留的请求", "captures.clear-hint": "所有保留的请求都将删除，并且不再保留。", "captures.cleared": "已删除保留的请求。",
  "captures.at": "时间", "captures.request": "请求", "captures.size": "大小", "captures.octets": "{count} 字节", "captures.get": "文件", "captures.download": "下载",
};
