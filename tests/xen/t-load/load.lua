-- SPDX-License-Identifier: BSD-3-Clause
-- wrk's script: ends it with status 1 if a connection failed, a status was not
-- 200, or a whole second of the clock went by without an answer.

local the_thread

function setup(thread)
    the_thread = thread
end

-- In the thread; done() reads these by name.
answers, bad, silent = 0, 0, 0

function init()
    last = os.time()
end

function response(status)
    local now = os.time()

    silent = math.max(silent, now - last - 1)
    last = now
    answers = answers + 1
    if status ~= 200 then
        bad = bad + 1
    end
end

function done(summary)
    local e = summary.errors
    local errors = e.connect + e.read + e.write + e.timeout
    local bad = the_thread:get("bad")
    local silent = math.max(the_thread:get("silent"),
        os.time() - the_thread:get("last") - 1)

    print(string.format("load: %d answers, %d not 200; errors: %d connect, " ..
        "%d read, %d write, %d timeout; longest silence %d s",
        the_thread:get("answers"), bad, e.connect, e.read, e.write, e.timeout,
        silent))
    if summary.requests == 0 or errors + bad > 0 or silent > 0 then
        os.exit(1)
    end
end
