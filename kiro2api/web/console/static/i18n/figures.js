// Words of headline numbers and charts.
export const en = {
  "figures.period": "Period", "figures.period.24h": "24 hours", "figures.period.7d": "7 days", "figures.period.14d": "14 days", "figures.period.30d": "30 days",
  "figures.requests": "Requests", "figures.failed": "{failed} failed, {refused} refused, {abandoned} abandoned", "figures.failed-short": "Failed", "figures.served": "Served",
  "figures.success": "Success rate", "figures.first": "First token", "figures.total": "Total time", "figures.p95": "95 % within {value}",
  "figures.tokens": "Tokens", "figures.tokens-note": "{input} in, {output} out, {cached} cached", "figures.credits": "Credits", "figures.credits-unit": "credits",
  "figures.input": "Input", "figures.output": "Output", "figures.what": "Shown", "figures.what.requests": "Requests", "figures.what.tokens": "Tokens", "figures.what.credits": "Credits",
  "figures.over-time.requests": "Requests over time", "figures.over-time.tokens": "Tokens over time", "figures.over-time.credits": "Credits over time", "figures.empty": "Nothing in this period yet",
};
export const zh = {
  "figures.period": "时间范围", "figures.period.24h": "24 小时", "figures.period.7d": "7 天", "figures.period.14d": "14 天", "figures.period.30d": "30 天",
  "figures.requests": "请求数", "figures.failed": "失败 {failed}，拒绝 {refused}，放弃 {abandoned}", "figures.failed-short": "失败", "figures.served": "成功",
  "figures.success": "成功率", "figures.first": "首个 token", "figures.total": "总用时", "figures.p95": "95% 在 {value} 内",
  "figures.tokens": "Token 数", "figures.tokens-note": "输入 {input}，输出 {output}，缓存 {cached}", "figures.credits": "额度", "figures.credits-unit": "额度",
  "figures.input": "输入", "figures.output": "输出", "figures.what": "显示内容", "figures.what.requests": "请求", "figures.what.tokens": "Token", "figures.what.credits": "额度",
  "figures.over-time.requests": "请求趋势", "figures.over-time.tokens": "Token 趋势", "figures.over-time.credits": "额度趋势", "figures.empty": "此时间范围内暂无数据",
};
