// Words of the view "connect".
export const en = {
  "connect.hint": "Settings to paste into the tools you already use.", "connect.address": "Address of this service, as your tools reach it",
  "connect.group": "Account group", "connect.default-group": "Default group",
  "connect.model": "Model", "connect.tool": "Tool", "connect.your-key": "YOUR-KEY",
  "connect.key-note": "Put one of your API keys in the place of YOUR-KEY; make one under",
  "connect.cursor": "Cursor Settings → Models", "connect.cline": "Cline settings",
};
export const zh = {
  "connect.hint": "可直接粘贴到常用工具中的配置。", "connect.address": "工具访问本服务所用的地址",
  "connect.group": "账号分组", "connect.default-group": "默认分组",
  "connect.model": "模型", "connect.tool": "工具", "connect.your-key": "YOUR-KEY",
  "connect.key-note": "请把 YOUR-KEY 换成您的 API 密钥；可在此创建：",
  "connect.cursor": "Cursor 设置 → Models", "connect.cline": "Cline 设置",
};
