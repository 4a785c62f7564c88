<?php

/*
 * Asked by the balancers every second: 200 while this web server can serve the site, which
 * needs PHP (or this would not run), the database, and the shared files where there are any. It
 * starts no session and writes nothing.
 */

declare(strict_types=1);

require __DIR__ . '/database.php';

header('Content-Type: text/plain; charset=utf-8');
header('Cache-Control: no-store');

// Looking at a storage that hangs would hang this page with it: a daemon of stillup looks every
// second and writes down what it saw. Where nothing is shared, there is no such file.
$seen = @file_get_contents('/run/stillup/shared.json');
$shared = $seen === false ? null : json_decode($seen, true);
if (($shared['well'] ?? true) === false) {
    http_response_code(503);
    exit("the shared files are away\n");
}
try {
    database(1)->query('SELECT 1')->fetchAll();
    echo "PHP and the database answer\n";
} catch (PDOException $error) {
    error_log('health: ' . $error->getMessage());
    http_response_code(503);
    echo "the database does not answer\n";
}
