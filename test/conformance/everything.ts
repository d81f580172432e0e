// What the scenarios of the conformance suite ask of a server, for either SDK.
import { setTimeout as sleep } from 'node:timers/promises'

type Json = Readonly<Record<string, unknown>>

/** The client of a request. */
export interface Peer {
  readonly progressToken: unknown
  readonly inputResponses: Readonly<Record<string, Json | undefined>> | undefined
  readonly requestState: unknown
  /** Of a client of 2026-07-28. */
  readonly capabilities: Json | undefined
  notify(method: string, params: Json): Promise<void>
  request(method: string, params: Json): Promise<Json>
  /** Ends the stream of this request, which goes on. */
  closeStream(): void
}

export interface Params extends Json {
  readonly name?: string
  readonly uri?: string
  readonly arguments?: Readonly<Record<string, string>>
}

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA='

const text = (value: string) => ({ type: 'text', text: value })
const image = { type: 'image', data: PNG, mimeType: 'image/png' }
const resource = (uri: string, mimeType: string, value: string) => ({
  type: 'resource',
  resource: { uri, mimeType, text: value },
})
const answer = (...content: Json[]) => ({ content })

export class RpcError extends Error {
  readonly code: number
  readonly data: unknown

  constructor(code: number, message: string, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

const objectOf = (properties: Json, required: readonly string[] = []) => ({
  type: 'object',
  properties,
  required,
})
const string = { type: 'string' }
const options = ['option1', 'option2', 'option3']
const titled = options.map((name, index) => ({ const: `value${index + 1}`, title: name }))

const ask = (message: string, name: string, type = 'string') => ({
  method: 'elicitation/create',
  params: { message, requestedSchema: objectOf({ [name]: { type } }, [name]) },
})
const sample = (prompt: string, maxTokens = 100) => ({
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: text(prompt) }], maxTokens },
})
const roots = { method: 'roots/list', params: {} }

const inputRequired = (inputRequests: Json, requestState?: string) => ({
  resultType: 'input_required',
  inputRequests,
  ...(requestState === undefined ? {} : { requestState }),
})

const contentOf = (response: Json | undefined): Json => (response?.['content'] ?? {}) as Json

async function elicit(peer: Peer, message: string, properties: Json, required?: string[]) {
  const requestedSchema = objectOf(properties, required)
  const { action, content } = await peer.request('elicitation/create', { message, requestedSchema })
  return answer(text(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`))
}

function askName(peer: Peer) {
  const { name } = contentOf(peer.inputResponses?.['user_name'])
  if (typeof name === 'string') return answer(text(`Hello, ${name}!`))
  return inputRequired({ user_name: ask('What is your name?', 'name') })
}

function assertState(peer: Peer, state: string): void {
  if (peer.requestState !== state) throw new RpcError(-32602, 'The state is not ours.')
}

type Tool = (args: Readonly<Record<string, string>>, peer: Peer) => unknown

const TOOLS: Readonly<Record<string, Tool>> = {
  test_simple_text: () => answer(text('This is a simple text response for testing.')),
  test_image_content: () => answer(image),
  test_audio_content: () => answer({ type: 'audio', data: WAV, mimeType: 'audio/wav' }),
  test_embedded_resource: () =>
    answer(
      resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
    ),
  test_multiple_content_types: () =>
    answer(
      text('Multiple content types test:'),
      image,
      resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ),
  async test_tool_with_logging(_args, peer) {
    for (const data of [
      'Tool execution started',
      'Tool processing data',
      'Tool execution completed',
    ]) {
      await peer.notify('notifications/message', { level: 'info', data })
      await sleep(50)
    }
    return answer(text('logged'))
  },
  test_error_handling() {
    return {
      ...answer(text('This tool intentionally returns an error for testing')),
      isError: true,
    }
  },
  async test_tool_with_progress(_args, peer) {
    const { progressToken } = peer
    for (const progress of [0, 50, 100]) {
      const params = { progressToken, progress, total: 100 }
      if (progressToken !== undefined) await peer.notify('notifications/progress', params)
      await sleep(50)
    }
    return answer(text('done'))
  },
  async test_sampling({ prompt = '' }, peer) {
    const { method, params } = sample(prompt)
    const { content } = await peer.request(method, params)
    return answer(text(`LLM response: ${String(Reflect.get(Object(content), 'text'))}`))
  },
  async test_elicitation({ message = '' }, peer) {
    return elicit(peer, message, { username: string, email: string }, ['username', 'email'])
  },
  test_elicitation_sep1034_defaults: (_args, peer) =>
    elicit(peer, 'Please review', {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    }),
  test_elicitation_sep1330_enums: (_args, peer) =>
    elicit(peer, 'Please choose', {
      untitledSingle: { type: 'string', enum: options },
      titledSingle: { type: 'string', oneOf: titled },
      legacyEnum: { type: 'string', enum: options, enumNames: ['One', 'Two', 'Three'] },
      untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
      titledMulti: { type: 'array', items: { anyOf: titled } },
    }),
  async test_reconnection(_args, peer) {
    peer.closeStream()
    await sleep(100)
    return answer(text('reconnected'))
  },
  json_schema_2020_12_tool: (args) => answer(text(JSON.stringify(args))),
  test_custom_headers: (args) => answer(text(JSON.stringify(args))),
  test_input_required_result_elicitation: (_args, peer) => askName(peer),
  test_input_required_result_sampling(_args, peer) {
    const response = peer.inputResponses?.['capital_question']
    if (response) return answer(text(JSON.stringify(response['content'])))
    return inputRequired({ capital_question: sample('What is the capital of France?') })
  },
  test_input_required_result_list_roots(_args, peer) {
    const response = peer.inputResponses?.['client_roots']
    if (response) return answer(text(JSON.stringify(response['roots'])))
    return inputRequired({ client_roots: roots })
  },
  test_input_required_result_request_state(_args, peer) {
    if (!peer.inputResponses)
      return inputRequired({ confirm: ask('Please confirm', 'ok', 'boolean') }, 'state')
    assertState(peer, 'state')
    return answer(text('state-ok'))
  },
  test_input_required_result_tampered_state(_args, peer) {
    if (!peer.inputResponses)
      return inputRequired({ confirm: ask('Please confirm', 'ok', 'boolean') }, 'state')
    assertState(peer, 'state')
    return answer(text('state-ok'))
  },
  test_input_required_result_multiple_inputs(_args, peer) {
    const inputRequests = {
      user_name: ask('What is your name?', 'name'),
      greeting: sample('Generate a greeting', 50),
      client_roots: roots,
    }
    if (!peer.inputResponses) return inputRequired(inputRequests, 'state')
    assertState(peer, 'state')
    return answer(text(JSON.stringify(peer.inputResponses)))
  },
  test_input_required_result_multi_round(_args, peer) {
    const { step1, step2 } = peer.inputResponses ?? {}
    if (step2) return answer(text(JSON.stringify(step2)))
    if (!step1) return inputRequired({ step1: ask('Step 1: What is your name?', 'name') }, 'one')
    assertState(peer, 'one')
    return inputRequired({ step2: ask('Step 2: What is your favorite color?', 'color') }, 'two')
  },
  test_input_required_result_capabilities(_args, { capabilities = {} }) {
    return inputRequired({
      ...('sampling' in capabilities ? { greeting: sample('Generate a greeting') } : {}),
      ...('elicitation' in capabilities ? { user_name: ask('Your name?', 'name') } : {}),
    })
  },
}

const SCHEMAS: Readonly<Record<string, Json>> = {
  test_sampling: objectOf({ prompt: string }, ['prompt']),
  test_elicitation: objectOf({ message: string }, ['message']),
  test_custom_headers: objectOf({ region: { ...string, 'x-mcp-header': 'Region' } }),
  json_schema_2020_12_tool: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: {
      address: {
        $anchor: 'addressDef',
        ...objectOf({ street: string, city: string }),
        required: undefined,
      },
    },
    properties: {
      name: string,
      address: { $ref: '#/$defs/address' },
      contactMethod: { type: 'string', enum: ['phone', 'email'] },
      phone: string,
      email: string,
    },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    then: { required: ['phone'] },
    else: { required: ['email'] },
    additionalProperties: false,
  },
}

const describe = (name: string) => ({ name, description: `For the scenario of ${name}` })

const messages = (...content: Json[]) => ({
  messages: content.map((block) => ({ role: 'user', content: block })),
})

const PROMPTS: Readonly<Record<string, { arguments?: string[]; get: Tool }>> = {
  test_simple_prompt: { get: () => messages(text('This is a simple prompt for testing.')) },
  test_prompt_with_arguments: {
    arguments: ['arg1', 'arg2'],
    get: ({ arg1, arg2 }) =>
      messages(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  },
  test_prompt_with_embedded_resource: {
    arguments: ['resourceUri'],
    get: ({ resourceUri = '' }) =>
      messages(
        resource(resourceUri, 'text/plain', 'Embedded resource content for testing.'),
        text('Please process the embedded resource above.'),
      ),
  },
  test_prompt_with_image: { get: () => messages(image, text('Please analyze the image above.')) },
  test_input_required_result_prompt: {
    get(_args, peer) {
      const { context } = contentOf(peer.inputResponses?.['user_context'])
      if (typeof context === 'string') return messages(text(context))
      return inputRequired({ user_context: ask('What context should the prompt use?', 'context') })
    },
  },
}

function read(uri = '') {
  const [, id] = /^test:\/\/template\/(.+)\/data$/.exec(uri) ?? []
  const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
  const value = 'This is the content of the static text resource.'
  if (id) return { contents: [{ uri, mimeType: 'application/json', text: data }] }
  if (uri === 'test://static-text')
    return { contents: [{ uri, mimeType: 'text/plain', text: value }] }
  if (uri === 'test://static-binary')
    return { contents: [{ uri, mimeType: 'image/png', blob: PNG }] }
  if (uri === 'test://watched-resource')
    return { contents: [{ uri, mimeType: 'text/plain', text: 'watched' }] }
  throw new RpcError(-32602, 'Resource not found', { uri })
}

const RESOURCES = ['static-text', 'static-binary', 'watched-resource'].map((name) => ({
  uri: `test://${name}`,
  ...describe(name),
}))

export const CAPABILITIES = {
  tools: {},
  resources: { subscribe: true },
  prompts: {},
  logging: {},
  completions: {},
}

/** What handles each method. */
export const HANDLERS = {
  'tools/list': () => ({
    tools: Object.keys(TOOLS).map((name) => ({
      ...describe(name),
      inputSchema: SCHEMAS[name] ?? objectOf({}),
    })),
  }),
  async 'tools/call'({ name = '', arguments: args = {} }: Params, peer: Peer) {
    const tool = TOOLS[name]
    if (!tool) throw new RpcError(-32602, `Unknown tool: ${name}`)
    return tool(args, peer)
  },
  'resources/list': () => ({ resources: RESOURCES }),
  'resources/templates/list': () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', ...describe('template') }],
  }),
  'resources/read': ({ uri }: Params) => read(uri),
  'resources/subscribe': () => ({}),
  'resources/unsubscribe': () => ({}),
  'prompts/list': () => ({
    prompts: Object.entries(PROMPTS).map(([name, prompt]) => ({
      ...describe(name),
      arguments: (prompt.arguments ?? []).map((each) => ({ ...describe(each), required: true })),
    })),
  }),
  async 'prompts/get'({ name = '', arguments: args = {} }: Params, peer: Peer) {
    const prompt = PROMPTS[name]
    if (!prompt) throw new RpcError(-32602, `Unknown prompt: ${name}`)
    return prompt.get(args, peer)
  },
  'completion/complete': () => ({ completion: { values: ['paris'], total: 1, hasMore: false } }),
  'logging/setLevel': () => ({}),
} as const
