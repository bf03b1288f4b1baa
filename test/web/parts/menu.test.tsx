import { fireEvent, render } from '@testing-library/preact'
import { describe, expect, test, vi } from 'vitest'
import { Menu } from '../../../src/web/parts/menu.tsx'

describe('a menu', () => {
  const open = () => {
    const act = vi.fn()
    const items = ['One', 'Two', 'Three'].map((label) => ({ label, onPress: () => act(label) }))
    const view = render(<Menu label="Options" items={items} />)
    const button = view.getByRole('button', { name: 'Options' })
    fireEvent.click(button)
    return { act, view, button, key: (key: string) => fireEvent.keyDown(document.activeElement ?? button, { key }) }
  }

  test('is walked by arrows, Home and End, round and round', () => {
    const { view, key } = open()
    const has = () => document.activeElement?.textContent
    expect(has()).toBe('One')
    key('ArrowDown')
    expect(has()).toBe('Two')
    key('End')
    expect(has()).toBe('Three')
    key('ArrowDown')
    expect(has()).toBe('One')
    key('ArrowUp')
    expect(has()).toBe('Three')
    expect(view.getAllByRole('menuitem').length).toBe(3)
  })

  test('Escape closes it and gives the focus back to its button', () => {
    const { view, button, key } = open()
    expect(button.getAttribute('aria-expanded')).toBe('true')
    key('Escape')
    expect(view.queryByRole('menu')).toBeNull()
    expect(document.activeElement).toBe(button)
  })

  test('a command runs once, and the menu is gone', () => {
    const { act, view } = open()
    fireEvent.click(view.getByRole('menuitem', { name: 'Two' }))
    expect(act.mock.calls).toEqual([['Two']])
    expect(view.queryByRole('menu')).toBeNull()
  })

  test('a press elsewhere closes it', async () => {
    const { view } = open()
    fireEvent.pointerDown(document.body)
    await vi.waitFor(() => {
      expect(view.queryByRole('menu')).toBeNull()
    })
  })
})
