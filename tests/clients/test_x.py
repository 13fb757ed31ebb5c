import anthropic
def test_x(service, group):
    c = anthropic.Anthropic(base_url=service.url, api_key=service.key)
    m = c.messages.create(model="claude-sonnet-4-5-20250929", max_tokens=100, messages=[{"role":"user","content":"Hi"}])
    print(m, m._request_id)
    print(service.log, service.records(1)); print(service.emulator.calls(), service.emulator.streams())
    print(service._program.log)
    assert 0
