import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../../../src/lib/bytes.ts'
import { StorageError } from '../../../src/lib/errors.ts'
import { bucketKey, bucketRange } from '../../../src/store/buckets.ts'
import { Database } from '../../../src/store/database.ts'
import type { StoreOp } from '../../../src/store/database.ts'
import { Disk } from '../../sim/disk.ts'
import { Dice, Scheduler } from '../../sim/scheduler.ts'

const keyOf = (name: string): Uint8Array => bucketKey('held', utf8(name))
const put = (name: string, value: string): StoreOp => ({ type: 'put', key: keyOf(name), value: utf8(value) })

async function home() {
  const scheduler = new Scheduler(0)
  const disk = new Disk(scheduler, { sync: () => 5 })
  const process = { dead: false }
  disk.onDeath = () => {
    process.dead = true
    disk.crashed()
  }
  return { scheduler, disk, process, database: await Database.over(disk.engine(process)) }
}

async function names(disk: Disk): Promise<string[]> {
  const found: string[] = []
  const database = await Database.over(disk.engine({ dead: false }))
  for await (const [key, value] of database.iterate(bucketRange('held'))) {
    found.push(`${Buffer.from(key.subarray(1)).toString()}=${Buffer.from(value).toString()}`)
  }
  return found
}

test('TE-01 a write is there once its sync is over, in order, and a walk sees keys in the order of their bytes', async () => {
  const { scheduler, disk, database } = await home()
  const done: string[] = []
  database.batch([put('b', '1'), put('a', '1')]).then(() => done.push('first'), assert.fail)
  database.batch([put('c', '2')], { sync: false }).then(() => done.push('second'), assert.fail)
  await scheduler.run(4)
  assert.deepEqual(done, [])
  await scheduler.run(20)
  assert.deepEqual(done, ['first', 'second'])
  assert.deepEqual(await names(disk), ['a=1', 'b=1', 'c=2'])
})

test('TE-01 a crash before the sync loses the write, one after it keeps it, and nobody hears of either', async () => {
  for (const fate of ['before', 'after'] as const) {
    const { scheduler, disk, process, database } = await home()
    disk.fate = () => fate
    let heard = false
    database.batch([put('a', '1')]).then(
      () => (heard = true),
      () => (heard = true),
    )
    await scheduler.run(100)
    assert.equal(process.dead, true)
    assert.equal(heard, false)
    assert.deepEqual(await names(disk), fate === 'after' ? ['a=1'] : [])
  }
})

test('TE-01 what was not synced goes with a crash, with what it replaced back in place', async () => {
  const { scheduler, disk, database } = await home()
  const first = database.batch([put('a', 'old')])
  await scheduler.run(10)
  await first
  const second = database.batch([put('a', 'new'), put('b', 'new')], { sync: false })
  await scheduler.run(20)
  await second
  disk.onDeath()
  assert.deepEqual(await names(disk), ['a=old'])
})

test('TE-01 a lying disk says yes at once, and a crash shows it', async () => {
  const { scheduler, disk, database } = await home()
  disk.lies = true
  await database.batch([put('a', '1')])
  disk.onDeath()
  assert.deepEqual(await names(disk), [])
  const again = await Database.over(disk.engine({ dead: false }))
  await again.batch([put('b', '1')])
  await scheduler.run(60_000)
  disk.crashed()
  assert.deepEqual(await names(disk), ['b=1'])
})

test('TE-01 a full disk refuses, and takes again when there is room', async () => {
  const { scheduler, disk, database } = await home()
  disk.full = true
  await assert.rejects(database.batch([put('a', '1')]), StorageError)
  disk.full = false
  const written = database.batch([put('a', '2')])
  await scheduler.run(100)
  await written
  assert.deepEqual(await names(disk), ['a=2'])
})

test('TE-01 rot changes one value and no other', async () => {
  const { scheduler, disk, database } = await home()
  const written = database.batch(Array.from({ length: 20 }, (_, i) => put(`k${i + 10}`, 'value')))
  await scheduler.run(100)
  await written
  assert.equal(
    disk.rot(new Dice(3), () => true),
    true,
  )
  assert.equal((await names(disk)).filter((each) => !each.endsWith('=value')).length, 1)
  assert.equal(
    disk.rot(new Dice(3), () => false),
    false,
  )
})
