// As much of a browser as the demo needs: cookies, redirects, and forms whose buttons can be pressed.

export interface Page {
  readonly url: string
  readonly status: number
  readonly text: string
}

export class Browser {
  /** Everything that it has received. */
  readonly received: string[] = []
  readonly #cookies = new Map<string, Map<string, string>>()

  async open(address: string, fields?: URLSearchParams): Promise<Page> {
    let url = new URL(address)
    let body = fields
    for (let redirects = 0; redirects < 10; redirects++) {
      const response = await this.#send(url, body)
      const location = response.headers.get('location')
      if (location === null) {
        const text = await response.text()
        this.received.push(text)
        return { url: url.href, status: response.status, text }
      }
      url = new URL(location, url)
      body = undefined
    }
    throw new Error('There are too many redirects.')
  }

  async #send(url: URL, body: URLSearchParams | undefined): Promise<Response> {
    const cookies = this.#cookies.get(url.origin) ?? new Map<string, string>()
    this.#cookies.set(url.origin, cookies)
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    const init = { redirect: 'manual', headers: { cookie } } as const
    const response = await fetch(url, body ? { ...init, method: 'POST', body } : init)
    this.received.push(JSON.stringify([...response.headers]))
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    return response
  }

  /** Sends the form that has this button. */
  async press(page: Page, label: string): Promise<Page> {
    for (const [, attributes = '', content = ''] of page.text.matchAll(FORM)) {
      const [, ofButton] =
        new RegExp(`<button([^>]*)>\\s*${label}\\s*</button>`).exec(content) ?? []
      if (ofButton === undefined) continue
      const inputs = [...content.matchAll(/<input([^>]*)>/g)].map(([, one = '']) => one)
      const pairs = [...inputs, ofButton].map((one) => [
        attribute(one, 'name'),
        attribute(one, 'value'),
      ])
      const fields = new URLSearchParams(pairs.filter(([name]) => name !== ''))
      return this.open(new URL(attribute(attributes, 'action'), page.url).href, fields)
    }
    throw new Error(`There is no button "${label}" at ${page.url}.`)
  }
}

const FORM = /<form([^>]*)>([\s\S]*?)<\/form>/g

const attribute = (attributes: string, name: string): string =>
  new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? ''
