/** A real Chromium on the page of a real daemon: started, looked at, photographed, and asked by axe. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import axe from 'axe-core'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'
import type { Daemon } from '../support/daemons.ts'

/** Where the pictures of a run are kept: `NAME-360.png` and `NAME-1280.png`. */
export const PICTURES = join(import.meta.dirname, '..', 'output', 'page')
const WIDTHS = { 360: 740, 1280: 800 } as const
const STEP_MS = 30_000
const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'] as const
/** Nothing of it looks for anything outside this machine. */
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** The browser of this machine: what `SOTTO_CHROMIUM` names, or where Linux keeps it. */
export function browserPath(): string | undefined {
  const named = process.env['SOTTO_CHROMIUM']
  return named ?? CANDIDATES.find((path) => existsSync(path))
}

export async function launch(): Promise<Browser> {
  const executablePath = browserPath()
  if (executablePath === undefined) throw new Error('no Chromium on this machine: install it, or set SOTTO_CHROMIUM')
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath, args: [...FLAGS, ...asRoot] })
}

export interface Fault {
  readonly id: string
  readonly impact: string
  readonly help: string
  readonly where: readonly string[]
}

/** One person in front of the page of their daemon. */
export class Person {
  readonly page: Page
  /** What the page complained about: exceptions, refused loads, breaches of its policy. */
  readonly complaints: string[] = []
  readonly #daemon: Daemon

  private constructor(page: Page, daemon: Daemon) {
    this.page = page
    this.#daemon = daemon
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    page.on('console', (message) => {
      const text = message.text()
      if (/Content Security Policy|Trusted Type|Refused to/i.test(text)) this.complaints.push(text)
    })
    page.on('request', (request) => {
      const { hostname, protocol } = new URL(request.url())
      const local = hostname === '127.0.0.1' || protocol === 'data:' || protocol === 'blob:'
      if (!local) this.complaints.push(`asked ${hostname}`)
    })
  }

  /** In a profile of their own, as `sotto open` lets them in. */
  static async at(browser: Browser, daemon: Daemon): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 1280, height: WIDTHS[1280] }, locale: 'en-GB' })
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    context.setDefaultTimeout(STEP_MS)
    const person = new Person(await context.newPage(), daemon)
    await person.open()
    return person
  }

  /** `sotto open --print`, and the browser goes there. */
  async open(): Promise<void> {
    const { url } = await this.#daemon.verb<{ url: string }>('open', '--print')
    await this.page.goto(url)
  }

  /** Pictures at both widths, and what axe says at each. Leaves the page at 1280 px. */
  async look(name: string): Promise<readonly Fault[]> {
    mkdirSync(PICTURES, { recursive: true })
    const faults: Fault[] = []
    for (const [width, height] of Object.entries(WIDTHS)) {
      await this.page.setViewportSize({ width: Number(width), height })
      await this.page.screenshot({ path: join(PICTURES, `${name}-${width}.png`), animations: 'disabled' })
      const overflow = await this.page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      if (overflow > 0)
        faults.push({ id: 'overflow', impact: 'serious', help: `${overflow} px too wide`, where: [width] })
      faults.push(...(await this.#axe()))
    }
    await this.page.setViewportSize({ width: 1280, height: WIDTHS[1280] })
    return faults
  }

  /** The page as it is, for whoever looks for the fault. */
  async picture(name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true })
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`) })
  }

  async #axe(): Promise<readonly Fault[]> {
    await this.page.evaluate(axe.source)
    const found = await this.page.evaluate(async () => {
      const { axe: inPage } = globalThis as unknown as {
        axe: { run(where: Document, how: object): Promise<AxeResult> }
      }
      const { violations } = await inPage.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      })
      return violations.map(({ id, impact, help, nodes }) => ({
        id,
        impact: impact ?? 'unknown',
        help,
        where: nodes.slice(0, 5).map(({ target }) => target.join(' ')),
      }))
    })
    return found.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  }

  async close(): Promise<void> {
    await this.page.context().close()
  }
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string
    readonly impact?: string | null
    readonly help: string
    readonly nodes: readonly { readonly target: readonly string[] }[]
  }[]
}
