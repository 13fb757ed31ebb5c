// Words of the view "settings".
export const en = {
  "settings.hint": "Where each value comes from, and what it does.", "settings.live": "Take effect at once", "settings.fixed": "Need a restart, or are fixed by the configuration",
  "settings.restart": "These are set in the environment, in .env, in kiro2api.toml or as options, and read at the start.",
  "settings.name": "Setting", "settings.value": "Value", "settings.from": "From", "settings.meaning": "Meaning", "settings.default": "Default: {value}",
  "settings.given": "given", "settings.not-given": "none", "settings.locked": "Given explicitly, which wins: change {env} there.",
  "settings.saved": "{name} was saved.", "settings.reset": "Back to the default",
  "settings.source.default": "default", "settings.source.environment": "environment", "settings.source.file": "file", "settings.source.option": "option", "settings.source.stored": "set here", "settings.source.dotenv": ".env",
};
export const zh = {
  "settings.hint": "每个值的来源及其作用。", "settings.live": "立即生效", "settings.fixed": "需要重启，或由配置固定",
  "settings.restart": "这些设置来自环境变量、.env、kiro2api.toml 或命令行选项，在启动时读取。",
  "settings.name": "设置", "settings.value": "值", "settings.from": "来源", "settings.meaning": "说明", "settings.default": "默认：{value}",
  "settings.given": "已设置", "settings.not-given": "无", "settings.locked": "已明确配置，优先生效：请在那里更改 {env}。",
  "settings.saved": "已保存 {name}。", "settings.reset": "恢复默认",
  "settings.source.default": "默认", "settings.source.environment": "环境变量", "settings.source.file": "文件", "settings.source.option": "选项", "settings.source.stored": "在此设置", "settings.source.dotenv": ".env",
};
