import { test } from 'node:test'
import assert from 'node:assert/strict'
import type { Node } from '../../../src/net/libp2p-node.ts'
import { NodeEvents } from '../../../src/net/node-events.ts'
import { recordingLogger } from '../../support/recording-logger.ts'

const NAMES = ['peer:connect', 'peer:disconnect', 'peer:identify', 'self:peer:update']

test('a listener that throws is logged once, hurts nobody else, and none is left after the end', () => {
  const node = new EventTarget()
  const { log, lines } = recordingLogger()
  let calls = 0
  const fail = (): void => {
    calls++
    throw new TypeError('a text with data of a user')
  }
  const events = new NodeEvents(node as unknown as Node, log, {
    connect: fail,
    disconnect: fail,
    identify: fail,
    selfUpdate: fail,
  })
  const fire = (): void => {
    for (const name of NAMES) node.dispatchEvent(new CustomEvent(name, { detail: {} }))
  }
  const uncaught: unknown[] = []
  const onUncaught = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', onUncaught)
  try {
    events.attach()
    fire()
    fire()
    assert.equal(calls, 8)
    assert.deepEqual(
      lines.map((line) => [line.level, line.fields?.['event'], line.fields?.['error']]),
      NAMES.map((name) => ['error', name, 'TypeError']),
    )
    events.detach()
    fire()
    assert.equal(calls, 8)
    assert.deepEqual(uncaught, [])
  } finally {
    process.off('uncaughtException', onUncaught)
  }
})
