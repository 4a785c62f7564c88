<?php

/* Two pages of one session: the first one hangs, loses its lock, and writes when the second is done. */

declare(strict_types=1);

foreach (file($argv[1], FILE_IGNORE_NEW_LINES) as $line) {
    if (preg_match("/^env\[(\w+)\] = '(.*)'$/", $line, $found)) {
        putenv("$found[1]=$found[2]");
    }
}
require $argv[2];

$id = bin2hex(random_bytes(16));
[$slow, $quick, $after] = [new Stillup\Sessions(), new Stillup\Sessions(), new Stillup\Sessions()];
$slow->validateId($id);
$slow->write($id, 'begun');
$slow->close();

$slow->read($id);
$quick->read($id);
$quick->write($id, 'newer');
$quick->close();
$slow->write($id, 'older');
$slow->close();

echo $after->read($id), "\n";
$after->write($id, 'newest');
$after->close();
$slow->read($id);
$quick->read($id);
$quick->destroy($id);
$quick->close();
$slow->write($id, 'older');
$slow->close();
echo $after->read($id) === '' ? 'ended' : 'begun anew', "\n";
