<?php
// The health page: 200 when this web server can do its work, 503 when it cannot. The balancers
// ask it all the time and send users elsewhere while it says 503. The site's own settings for
// the database are in the environment.
declare(strict_types=1);

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
header('Content-Type: text/plain; charset=utf-8');
header('Cache-Control: no-store');
try {
    $database = mysqli_init();
    $database->options(MYSQLI_OPT_CONNECT_TIMEOUT, 1);
    $database->options(MYSQLI_OPT_READ_TIMEOUT, 1);
    $database->real_connect(
        getenv('DB_HOST'), getenv('DB_USER'), getenv('DB_PASSWORD'), getenv('DB_NAME')
    );
    $database->query('SELECT 1');
    echo "well\n";
} catch (mysqli_sql_exception $error) {
    http_response_code(503);
    echo "the database does not answer\n";
}
