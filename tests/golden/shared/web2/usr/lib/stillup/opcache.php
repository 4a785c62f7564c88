<?php

/*
 * Empties PHP's cache of compiled pages after the site has been switched to another release.
 *
 * Asked over PHP-FPM's own socket by stillup on this server; it is outside the document root,
 * so no visitor reaches it. Answers with one line of JSON.
 */

declare(strict_types=1);

header('Content-Type: application/json');
clearstatcache(true);
$emptied = function_exists('opcache_reset') && opcache_reset();
if (!$emptied) {
    http_response_code(500);
}
echo json_encode(['emptied' => $emptied]), "\n";
