-- Data per request: a user never seen before, always the same body.
-- Arguments: the target up to the uuid; the body; a seed.
dofile("done.lua")

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  math.randomseed(tonumber(args[3]) * 1000 + number)
  head = "POST " .. args[1]
  tail = " HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: " .. #args[2]
    .. "\r\n\r\n" .. args[2]
end

function request()
  return head .. string.format("%08x-%04x-4%03x-8%03x-%06x%06x",
    math.random(0, 0xffffffff), math.random(0, 0xffff), math.random(0, 0xfff), math.random(0, 0xfff),
    math.random(0, 0xffffff), math.random(0, 0xffffff)) .. tail
end
