// Goal: local hours and days are those of the zone at that instant, on both sides of every change of its offset.
// Method: known instants by hand; then every step around many years against the formatter's own fields.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayOfWeekOf, hourOf, isZone, makeLocalTime } from '../../src/schema/time-parts.ts'

const hourIn = (zone: string, instant: string): number => hourOf(makeLocalTime(zone)(Date.parse(instant)))
const dayIn = (zone: string, instant: string): number => dayOfWeekOf(makeLocalTime(zone)(Date.parse(instant)))

test('Paris springs forward: 01:59 is followed by 03:00', () => {
  assert.equal(hourIn('Europe/Paris', '2024-03-31T00:59:59.999Z'), 1)
  assert.equal(hourIn('Europe/Paris', '2024-03-31T01:00:00.000Z'), 3)
})

test('Paris falls back: the hour 2 comes twice', () => {
  assert.equal(hourIn('Europe/Paris', '2024-10-27T00:30:00Z'), 2)
  assert.equal(hourIn('Europe/Paris', '2024-10-27T01:30:00Z'), 2)
  assert.equal(hourIn('Europe/Paris', '2024-10-27T02:00:00Z'), 3)
})

test('Kolkata is five and a half hours ahead, Kathmandu five and three quarters', () => {
  assert.equal(hourIn('Asia/Kolkata', '2024-01-01T18:29:59.999Z'), 23)
  assert.equal(hourIn('Asia/Kolkata', '2024-01-01T18:30:00.000Z'), 0)
  assert.equal(hourIn('Asia/Kathmandu', '2024-01-01T18:15:00.000Z'), 0)
})

test('St. John’s went by 00:01 until 2011, inside a quarter of an hour', () => {
  assert.equal(hourIn('America/St_Johns', '2010-03-14T03:30:59Z'), 0)
  assert.equal(hourIn('America/St_Johns', '2010-03-14T03:31:00Z'), 1)
  assert.equal(hourIn('America/St_Johns', '2010-03-14T03:44:00Z'), 1)
})

test('the first hours of 1970 have hours and days west of Greenwich', () => {
  assert.equal(hourIn('America/New_York', '1970-01-01T00:00:00Z'), 19)
  assert.equal(dayIn('America/New_York', '1970-01-01T00:00:00Z'), 3)
  assert.equal(dayIn('UTC', '1970-01-01T00:00:00Z'), 4)
})

test('Monday is 1 and Sunday 7, by the local day', () => {
  assert.equal(dayIn('UTC', '2024-04-01T00:00:00Z'), 1)
  assert.equal(dayIn('UTC', '2024-03-31T23:59:59.999Z'), 7)
  assert.equal(dayIn('Pacific/Auckland', '2024-03-31T11:00:00Z'), 1)
})

for (const zone of [
  'UTC',
  'Europe/Paris',
  'Asia/Kolkata',
  'America/St_Johns',
  'Africa/Monrovia',
  'Australia/Lord_Howe',
]) {
  test(`hours and days in ${zone} are those of the formatter`, () => {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hour: '2-digit',
      hourCycle: 'h23',
      weekday: 'short',
    })
    const local = makeLocalTime(zone)
    // A step of a little less than a day meets every hour; 2.3 years of it pass every season's change.
    for (let index = 0; index < 1_000; index++) {
      const ts = Date.UTC(1971, 11, 30) + index * 73_523_123
      const parts = Object.fromEntries(format.formatToParts(ts).map(({ type, value }) => [type, value]))
      assert.equal(hourOf(local(ts)), Number(parts['hour']), new Date(ts).toISOString())
      const day = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(parts['weekday']!) + 1
      assert.equal(dayOfWeekOf(local(ts)), day, new Date(ts).toISOString())
    }
  })
}

test('zones are asked by name', () => {
  assert.equal(isZone('Europe/Paris'), true)
  assert.equal(isZone('Europe/Pariss'), false)
  assert.equal(isZone(''), false)
})
