// Words of the view "usage".
export const en = { "usage.hint": "What the key {name} has used." };
export const zh = { "usage.hint": "密钥 {name} 的用量。" };
