<?php

/*
 * Asked by the balancers every second: 200 while this web server can serve the site, which
 * needs PHP (or this would not run) and the database. It starts no session and writes nothing.
 */

declare(strict_types=1);

require __DIR__ . '/database.php';

header('Content-Type: text/plain; charset=utf-8');
header('Cache-Control: no-store');
try {
    database(1)->query('SELECT 1')->fetchAll();
    echo "PHP and the database answer\n";
} catch (PDOException $error) {
    error_log('health: ' . $error->getMessage());
    http_response_code(503);
    echo "the database does not answer\n";
}
