-- A user sync per request: a user id never sent before, a cookie from a pool of ten thousand.
-- Arguments: the target up to the user id; a tag that makes this run's user ids its own.
dofile("done.lua")

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

local function uuid4()
  return string.format("%08x-%04x-4%03x-8%03x-%06x%06x",
    math.random(0, 0xffffffff), math.random(0, 0xffff), math.random(0, 0xfff), math.random(0, 0xfff),
    math.random(0, 0xffffff), math.random(0, 0xffffff))
end

function init(args)
  math.randomseed(number)
  head = "GET " .. args[1] .. args[2] .. "-" .. number .. "-"
  tails = {}
  for i = 1, 10000 do
    tails[i] = " HTTP/1.1\r\nHost: edge\r\nCookie: dmpuid=" .. uuid4() .. "\r\n\r\n"
  end
  sent = 0
end

function request()
  sent = sent + 1
  return head .. sent .. tails[math.random(1, 10000)]
end
