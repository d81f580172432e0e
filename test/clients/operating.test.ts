// docs/operating.md, with the exporters of the OpenTelemetry SDK.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client, InMemoryTransport } from '@modelcontextprotocol/client'
import { McpServer } from '@modelcontextprotocol/server'
import { metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { getCredentials, MissingCredentialHeaderError, OAuthCredential } from 'mcp-credentials'
import type { OnCall } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'
import { compile } from './docs.js'

const TOKEN = 'FAKE-telemetry-token-0123456789abcdef'
const LABEL = 'FAKE-label-of-the-account'
const ARGUMENT = 'FAKE-argument-of-the-call'

const document = compile('operating')
const spans = new InMemorySpanExporter()
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const meters = new MeterProvider({
  readers: [
    new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 2 ** 30 }),
  ],
})
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
)
metrics.setGlobalMeterProvider(meters)
after(() => meters.shutdown())

interface Block {
  readonly onCall: OnCall
}
const lines: string[] = []

before(async () => {
  const telemetry = await document.load<Block>('OpenTelemetry')
  const audit = await document.load<Block>('An audit log')
  const onCall: OnCall = (event, details) => {
    telemetry.onCall(event, details)
    const { write } = process.stderr
    process.stderr.write = (text) => lines.push(String(text)) > 0
    try {
      audit.onCall(event, details)
    } finally {
      process.stderr.write = write
    }
  }
  let calls = 0
  const source = () => {
    calls += 1
    if (calls > 4) throw new MissingCredentialHeaderError(['x-mcp-cred-access-token'])
    return new OAuthCredential({ accessToken: TOKEN })
  }
  const server = withCredentials(new McpServer({ name: 'a', version: '1.0.0' }), source, {
    onCall,
    label: () => LABEL,
  })
  const inputSchema = z.object({ what: z.string() })
  const say = (text: string, isError = false) => ({
    content: [{ type: 'text' as const, text }],
    isError,
  })
  server.registerTool('ok', { inputSchema }, () => say('well'))
  server.registerTool('leak', { inputSchema }, () => say(getCredentials('oauth').accessToken))
  server.registerTool('no', { inputSchema }, () => say(`not with ${TOKEN}`, true))
  server.registerTool('throw', { inputSchema }, () => {
    throw new Error(`It failed with ${TOKEN}.`)
  })
  const client = new Client({ name: 'c', version: '1.0.0' })
  const [a, b] = InMemoryTransport.createLinkedPair()
  await Promise.all([server.connect(a), client.connect(b)])
  for (const name of ['ok', 'leak', 'no', 'throw', 'ok'])
    await client.callTool({ name, arguments: { what: ARGUMENT } })
  await client.close()
})

test('its code compiles', () => {
  assert.equal(document.complaints, '')
  assert.deepEqual(document.headings, ['An audit log', 'OpenTelemetry'])
})

const attributesOf = (tool: string, error?: string) => ({
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': tool,
  'gen_ai.operation.name': 'execute_tool',
  ...(error !== undefined && { 'error.type': error }),
})

test('there is a span for each call, as the conventions have it', () => {
  const { ERROR, UNSET } = SpanStatusCode
  const seen = spans.getFinishedSpans().map(({ name, kind, status, attributes }) => ({
    name,
    kind,
    status: status.code,
    attributes,
  }))
  const kind = SpanKind.SERVER
  assert.deepEqual(seen, [
    { name: 'tools/call ok', kind, status: UNSET, attributes: attributesOf('ok') },
    { name: 'tools/call leak', kind, status: UNSET, attributes: attributesOf('leak') },
    { name: 'tools/call no', kind, status: ERROR, attributes: attributesOf('no', 'tool_error') },
    {
      name: 'tools/call throw',
      kind,
      status: ERROR,
      attributes: attributesOf('throw', 'tool_error'),
    },
    {
      name: 'tools/call ok',
      kind,
      status: ERROR,
      attributes: attributesOf('ok', 'ERR_CREDENTIAL_MISSING'),
    },
  ])
  for (const { startTime, endTime } of spans.getFinishedSpans()) {
    const milliseconds = (endTime[0] - startTime[0]) * 1e3 + (endTime[1] - startTime[1]) / 1e6
    assert(milliseconds > 0 && milliseconds < 60_000, String(milliseconds))
  }
})

test('their duration is measured in seconds', async () => {
  await meters.forceFlush()
  const [metric] = measured.getMetrics()[0]?.scopeMetrics[0]?.metrics ?? []
  assert.equal(metric?.descriptor.name, 'mcp.server.operation.duration')
  assert.equal(metric?.descriptor.unit, 's')
  const points = metric?.dataPoints.map(({ attributes, value }) => {
    const { count, sum = 0 } = value as { count: number; sum?: number }
    assert(sum > 0 && sum < 60)
    return [attributes, count]
  })
  assert.deepEqual(points, [
    [attributesOf('ok'), 1],
    [attributesOf('leak'), 1],
    [attributesOf('no', 'tool_error'), 1],
    [attributesOf('throw', 'tool_error'), 1],
    [attributesOf('ok', 'ERR_CREDENTIAL_MISSING'), 1],
  ])
})

test('the audit log has a line for each call, and says what was redacted', () => {
  const events = lines.map((line) => JSON.parse(line))
  assert.deepEqual(
    events.map(({ tool, outcome, label, redacted }) => [tool, outcome, label, redacted.length > 0]),
    [
      ['ok', 'ok', LABEL, false],
      ['leak', 'ok', LABEL, true],
      ['no', 'failed', LABEL, true],
      ['throw', 'failed', LABEL, true],
      ['ok', 'refused', LABEL, false],
    ],
  )
})

test('no value is in a span, a metric or the log', () => {
  const { inspect } = process.getBuiltinModule('node:util')
  const exported = inspect([spans.getFinishedSpans(), measured.getMetrics()], {
    depth: Infinity,
    maxArrayLength: Infinity,
  })
  assert.match(exported, /tools\/call leak/)
  for (const value of [TOKEN, LABEL, ARGUMENT, 'It failed', 'not with'])
    assert.equal(exported.includes(value), false, value)
  for (const value of [TOKEN, ARGUMENT]) assert.equal(lines.join('').includes(value), false, value)
})
