// Runs the servers of this folder for real and tells what each party got to see. Ends with an error if a secret leaked.
import { call, connectHttp, connectStdio, search } from './recorder.ts'
import type { Answer } from './recorder.ts'
import { expect, line, title } from './page.ts'
import { scriptOf, start } from './processes.ts'

const fake = (name: string) => `FAKE-${name}-${crypto.randomUUID()}`
const secrets = {
  acme: fake('acme-token'),
  globex: fake('globex-token'),
  weather: fake('weather-key'),
  calendar: fake('calendar-token'),
}
const keys = {
  acme: fake('acme-gateway-key'),
  globex: fake('globex-gateway-key'),
  initech: fake('initech-gateway-key'),
  gateway: fake('gateway-signing-key'),
}

const ACCOUNTS = [
  {
    secret: "acme's token",
    authorization: `Bearer ${secrets.acme}`,
    answers: { '/issues': 'ACME-7 The rocket skates do not brake' },
  },
  {
    secret: "globex's token",
    authorization: `Bearer ${secrets.globex}`,
    answers: { '/issues': 'GLX-1 The weather machine is too loud' },
  },
  {
    secret: 'the weather key',
    authorization: `ApiKey ${secrets.weather}`,
    answers: { '/forecast': 'Lisbon: sunny, 24 degrees' },
  },
  {
    secret: 'the calendar token',
    authorization: `Bearer ${secrets.calendar}`,
    answers: { '/meetings/next': '10:00 Tea with the auditors' },
  },
]

/** Every answer that differs from those before it. */
function show(who: string, ...answers: readonly Answer[]): void {
  const texts = answers.map(({ text, isError }) => (isError ? `error: ${text}` : text))
  for (const text of new Set(texts)) line(`${who} sees`, text)
}

const upstream = await start('upstream', { ACCOUNTS: JSON.stringify(ACCOUNTS) })
const seen = new Map<string, number>()
upstream.child.on('message', ({ seen: request }: { seen: string }) =>
  seen.set(request, (seen.get(request) ?? 0) + 1),
)
function showUpstream(): void {
  for (const [entry, times] of [...seen].sort()) line('the upstream API saw', `${entry}, ${times}x`)
  seen.clear()
}
const UPSTREAM = upstream.url

title('Hosted: gateway -> MCP server -> upstream API; two tenants at the same time')
const server = await start('hosted-server', { UPSTREAM })
const TENANTS = [
  { key: keys.acme, accessToken: secrets.acme },
  { key: keys.globex, accessToken: secrets.globex },
  { key: keys.initech },
]
const gateway = await start('gateway', { MCP_SERVER: server.url, TENANTS: JSON.stringify(TENANTS) })
const acme = await connectHttp(gateway.url, { authorization: `Bearer ${keys.acme}` })
const globex = await connectHttp(gateway.url, {
  authorization: `Bearer ${keys.globex}`,
  'X-MCP-Cred-Access-Token': secrets.acme,
  X_MCP_Cred_Access_Token: secrets.acme,
})
line('globex tries', 'to smuggle in an X-MCP-Cred-Access-Token of acme')
const tenCalls = (client: typeof acme) =>
  Promise.all(Array.from({ length: 10 }, () => call(client, 'list_issues')))
const [ofAcme, ofGlobex] = await Promise.all([tenCalls(acme), tenCalls(globex)])
const answers = [...ofAcme, ...ofGlobex]
const own = [
  ...ofAcme.filter(({ text }) => text.startsWith('ACME')),
  ...ofGlobex.filter(({ text }) => text.startsWith('GLX')),
]
showUpstream()
show("acme's model", ...ofAcme)
show("globex's model", ...ofGlobex)
line('mixed up', `${answers.length - own.length} of ${answers.length} calls`)
expect(own.length === answers.length, 'a tenant saw the issues of another')

title('A tool that throws with its token in the message, as HTTP clients do')
const careless = await call(acme, 'delete_issue')
line('the tool throws', "401 from the API, for Authorization: Bearer <acme's token>")
show("acme's model", careless)
expect(careless.isError && careless.text.includes('[redacted]'), 'the token was not taken out')

title('Forged: headers that did not come from the gateway')
const refused = await start('signed-server', { UPSTREAM, GATEWAY_KEY: keys.gateway })
const forger = await connectHttp(refused.url, { 'X-MCP-Cred-Access-Token': secrets.acme })
line('somebody sends', "acme's token, without the gateway's signature")
const forged = await call(forger, 'list_issues')
show('and', forged)
expect(forged.isError, 'a forged header was believed')

title('Local: MCP servers on stdio, credentials in their environment')
const weather = await connectStdio('static-server', {
  UPSTREAM,
  WEATHER_FIELD_apiKey: secrets.weather,
})
const forecast = await call(weather, 'forecast', { city: 'Lisbon' })
const calendar = await connectStdio('oauth-server', {
  UPSTREAM,
  CALENDAR_ACCESS_TOKEN: secrets.calendar,
  CALENDAR_EXPIRES_AT: '2099-01-01T00:00:00Z',
})
const meeting = await call(calendar, 'next_meeting')
showUpstream()
show('the model', forecast)
show('the model', meeting)
expect(!forecast.isError && !meeting.isError, 'a local server failed')

title('Misconfigured: what the person is told')
const initech = await connectHttp(gateway.url, { authorization: `Bearer ${keys.initech}` })
const mistakes: [label: string, client: typeof initech, tool: string][] = [
  ['no account connected', initech, 'list_issues'],
  ['no variable set', await connectStdio('static-server', {}), 'forecast'],
  [
    'a line break',
    await connectStdio('oauth-server', { CALENDAR_ACCESS_TOKEN: `${secrets.calendar}\n` }),
    'next_meeting',
  ],
  [
    'an expiry nobody knows',
    await connectStdio('oauth-server', {
      CALENDAR_ACCESS_TOKEN: secrets.calendar,
      CALENDAR_EXPIRES_AT: 'soon',
    }),
    'next_meeting',
  ],
]
for (const [label, client, tool] of mistakes) {
  const { text, isError } = await call(client, tool, { city: 'Lisbon' })
  line(label, text)
  expect(isError, 'a misconfigured server answered')
}

title('The check')
const all = [...Object.values(secrets), ...Object.values(keys)]
const { bytes, found } = search(all)
const planted = all.filter((secret) => search([secret], secret).found.length === 1)
line(
  'searched',
  `${bytes} bytes that the clients received, for ${all.length} secrets as text, base64 and hex`,
)
line('found', `${found.length}`)
line('found when planted', `${planted.length} of ${all.length}`)
const texts = [
  ...new Set([...answers, careless, forged, forecast, meeting].map(({ text }) => text)),
]
const kept = search(texts).found
line(
  'answers in the bytes',
  `${kept.length} of ${texts.length}: nothing that the clients received was left out`,
)

expect(found.length === 0, 'a secret reached a client')
expect(planted.length === all.length, 'the search did not find a planted secret')
expect(kept.length === texts.length, 'the search did not see all that the clients received')

await Promise.all(
  [acme, globex, forger, weather, calendar, ...mistakes.map(([, client]) => client)].map((client) =>
    client.close(),
  ),
)

if (process.argv.includes('--keep')) {
  const local = `--env UPSTREAM=${UPSTREAM} --env WEATHER_FIELD_apiKey=${secrets.weather}`
  title('It stays up until you press Ctrl-C. To paste into a shell, for Claude Code:')
  for (const [name, key] of Object.entries({ acme: keys.acme, globex: keys.globex })) {
    const header = `--header "Authorization: Bearer ${key}"`
    console.log(`claude mcp add --transport http ${name} ${gateway.url}/mcp ${header}`)
  }
  const script = scriptOf('static-server')
  console.log(`claude mcp add ${local} --transport stdio weather -- ${process.execPath} ${script}`)
} else {
  title('What to try next')
  line(
    'npm run demo -- --keep',
    'leaves these servers up, with the lines to paste into your own client',
  )
  line(
    'npm run connect',
    'the server with accounts, to connect one with your own client and browser',
  )
  line(
    'npm run gateway',
    'a gateway in front of your server: npm run gateway -- http://127.0.0.1:3000',
  )
  line('README.md', 'three servers to start from')
  for (const { child } of [refused, gateway, server, upstream]) child.disconnect()
}
